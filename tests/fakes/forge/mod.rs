//! A forge on the wire: an HTTP server with state that behaves as the recordings of a real Gitea in `tests/forge/fixtures`
//! say, and no cleverer. Tests change its world with [`FakeForge::act`], and break the line with [`FakeForge::inject`].
//!
//! A test crate takes it with `#[path = "../fakes/forge/mod.rs"] mod fake;`; one that does not use all of it adds
//! `#[expect(dead_code, reason = "…")]` to that line.

#![expect(clippy::unwrap_used, reason = "a fake that cannot start fails its test")]

mod answers;
mod deliveries;
mod json;
mod line;
pub(crate) mod world;
mod writes;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Response, StatusCode, Uri};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use answers::{Answer, Call};
pub(crate) use deliveries::Sent;
use line::{Cut, Line};
pub(crate) use world::{Member, Right, World};

/// What goes wrong, once or more often, for requests that fit.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The method; `None` fits all.
    pub(crate) method: Option<&'static str>,
    /// A part of the path; empty fits all.
    pub(crate) path: &'static str,
    /// How often.
    pub(crate) times: u32,
    /// What happens.
    pub(crate) what: Wrong,
}

/// What can go wrong.
#[derive(Debug, Clone)]
pub(crate) enum Wrong {
    /// This is answered, and nothing is done.
    Say { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// The connection breaks before anything is done.
    CutBefore,
    /// It is done, and then the connection breaks.
    CutAfter,
    /// It is done, and answered after this time.
    Slow(Duration),
    /// The connection breaks, and it is done when so much time has passed in the world.
    Late(Duration),
}

/// Draws what goes wrong with a request: method and path.
pub(crate) type Draw = Box<dyn FnMut(&str, &str) -> Option<Wrong> + Send>;

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    faults: Mutex<Vec<Fault>>,
    draw: Mutex<Option<Draw>>,
    late: Mutex<Vec<Late>>,
    requests: Mutex<Vec<String>>,
    sent: Mutex<Vec<Sent>>,
    /// What came back for them; `None` where nothing did.
    taken: Mutex<Vec<Option<u16>>>,
    held: AtomicBool,
}

/// A request that is still under way.
struct Late {
    due: Timestamp,
    method: String,
    uri: Uri,
    token: Option<String>,
    body: Bytes,
}

impl Shared {
    /// What was under way and has come by now is done.
    fn catch_up(&self, world: &mut World) {
        let mut late = lock(&self.late);
        let (come, under_way) = late.drain(..).partition(|it| it.due <= world.now);
        *late = under_way;
        for it in Vec::from_iter::<Vec<Late>>(come) {
            answers::answer(world, &Call::new(&it.method, &it.uri, it.token.as_deref(), &it.body));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running fake.
pub(crate) struct FakeForge {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<(JoinHandle<()>, CancellationToken)>,
}

impl FakeForge {
    /// Starts an empty one on loopback.
    pub(crate) async fn start() -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut fake = Self { address: listener.local_addr().unwrap(), shared: Arc::default(), running: None };
        fake.serve(listener);
        fake
    }

    fn serve(&mut self, listener: TcpListener) {
        let down = CancellationToken::new();
        let app = axum::Router::new().fallback(handle).with_state(Arc::clone(&self.shared));
        let line = Line::new(listener, down.clone());
        let served = axum::serve(line, app.into_make_service_with_connect_info::<Cut>());
        self.running = Some((tokio::spawn(async move { served.await.unwrap() }), down));
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Nobody answers any more; open connections break.
    pub(crate) async fn down(&mut self) {
        if let Some((task, down)) = self.running.take() {
            task.abort();
            let _ended = task.await;
            down.cancel();
        }
    }

    /// Answers again, at the same address, with the same state.
    pub(crate) async fn up(&mut self) {
        self.down().await;
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    /// Looks at the world or changes it, as somebody in a browser would; hooks are told.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.shared.world);
        let result = act(&mut world);
        self.shared.catch_up(&mut world);
        deliveries::send(&mut world, &self.shared);
        result
    }

    /// Something goes wrong from now on.
    pub(crate) fn inject(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// From now on, this draws what goes wrong.
    pub(crate) fn draw(&self, draw: Draw) {
        *lock(&self.shared.draw) = Some(draw);
    }

    /// All is well again.
    pub(crate) fn heal(&self) {
        lock(&self.shared.faults).clear();
        *lock(&self.shared.draw) = None;
    }

    /// What was asked so far: `GET /api/v1/version`.
    pub(crate) fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).clone()
    }

    /// What was sent to hooks so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        lock(&self.shared.sent).clone()
    }

    /// What came back for each of them that has ended; `None` where nothing did.
    pub(crate) fn taken(&self) -> Vec<Option<u16>> {
        lock(&self.shared.taken).clone()
    }

    /// Deliveries are only noted from now on: the test brings them itself.
    pub(crate) fn hold_deliveries(&self) {
        self.shared.held.store(true, Ordering::Relaxed);
    }

    /// Sends a delivery again, as the button in the web interface does: same body, new id.
    pub(crate) fn replay(&self, sent: &Sent) {
        deliveries::post(sent.again(), &self.shared);
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response<Body> {
    let (method, uri) = (request.method().to_string(), request.uri().clone());
    lock(&shared.requests).push(format!("{method} {uri}"));
    let wrong = {
        let mut faults = lock(&shared.faults);
        let fits = |fault: &Fault| {
            fault.times > 0 && fault.method.is_none_or(|it| it == method) && uri.to_string().contains(fault.path)
        };
        faults.iter_mut().find(|fault| fits(fault)).map(|fault| {
            fault.times -= 1;
            fault.what.clone()
        })
    };
    let wrong = wrong.or_else(|| lock(&shared.draw).as_mut()?(&method, uri.path()));
    let date = lock(&shared.world).now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let respond = |mut answer: Answer| {
        answer.headers.push(("date", date));
        respond(answer)
    };
    match &wrong {
        Some(Wrong::Say { status, headers, body }) => {
            let mut answer = Answer::text(*status, body);
            answer.headers.extend(headers.clone());
            return respond(answer);
        }
        Some(Wrong::CutBefore) => {
            cut.cut();
            return respond(Answer::text(500, "never read"));
        }
        Some(Wrong::CutAfter | Wrong::Slow(_) | Wrong::Late(_)) | None => {}
    }
    let token = request.headers().get("authorization").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let body: Bytes = axum::body::to_bytes(request.into_body(), 4 << 20).await.unwrap_or_default();
    if let Some(Wrong::Late(time)) = wrong {
        let due = lock(&shared.world).now + time;
        lock(&shared.late).push(Late { due, method, uri, token, body });
        cut.cut();
        return respond(Answer::text(500, "never read"));
    }
    let answer = {
        let mut world = lock(&shared.world);
        shared.catch_up(&mut world);
        let answer = answers::answer(&mut world, &Call::new(&method, &uri, token.as_deref(), &body));
        deliveries::send(&mut world, &shared);
        answer
    };
    match wrong {
        Some(Wrong::Slow(time)) => tokio::time::sleep(time).await,
        Some(Wrong::CutAfter) => cut.cut(),
        Some(Wrong::Say { .. } | Wrong::CutBefore | Wrong::Late(_)) | None => {}
    }
    respond(answer)
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}
