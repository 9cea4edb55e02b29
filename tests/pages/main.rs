//! Every page in a real browser: wide and narrow, light and dark, with and without JavaScript. Pictures are left in `target/pages`.

fn main() {}
