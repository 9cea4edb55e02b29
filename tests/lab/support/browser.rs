//! A browser as far as a login needs one: cookies, forms, and redirects that are followed one by one.

use std::collections::BTreeMap;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use url::Url;

/// A browser with its cookies. As in a real one, all ports of a host share them.
pub(crate) struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
    runtime: tokio::runtime::Runtime,
}

/// What a server answered.
pub(crate) struct Page {
    pub(crate) status: u16,
    /// Where it leads, as a whole address.
    pub(crate) to: Option<String>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, cookies: BTreeMap::new(), runtime: tokio::runtime::Runtime::new().unwrap() }
    }

    pub(crate) fn get(&mut self, address: &str) -> Page {
        self.send(self.client.get(address), address)
    }

    /// Sends a form, from a page of the same origin.
    pub(crate) fn post(&mut self, address: &str, form: &[(&str, String)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let origin = Url::parse(address).unwrap().origin().ascii_serialization();
        let request = self.client.post(address).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("origin", origin).body(body), address)
    }

    fn send(&mut self, request: RequestBuilder, address: &str) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = self.runtime.block_on(request.header("cookie", cookies.join("; ")).send()).unwrap();
        let base = Url::parse(address).unwrap();
        let text_of = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        for cookie in response.headers().get_all("set-cookie").into_iter().map(text_of) {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let to = response.headers().get("location").map(text_of).map(|to| base.join(&to).unwrap().to_string());
        let status = response.status().as_u16();
        Page { status, to, text: self.runtime.block_on(response.text()).unwrap() }
    }

    /// The forge's question whether the gate may know who that is, answered with yes. Returns where that leads.
    pub(crate) fn agree(&mut self, forge: &str, asked: &Page) -> String {
        let hidden = asked.text.split("<input type=\"hidden\" name=\"").skip(1).map(|rest| {
            let (name, rest) = rest.split_once('"').unwrap();
            let value = rest.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
            (name, value.replace("&#43;", "+").replace("&amp;", "&"))
        });
        let mut form: Vec<(&str, String)> = hidden.collect();
        form.push(("granted", "true".to_owned()));
        let origin = Url::parse(forge).unwrap().origin().ascii_serialization();
        self.post(&format!("{origin}/login/oauth/grant"), &form).to.unwrap()
    }
}
