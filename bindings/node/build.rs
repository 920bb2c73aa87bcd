//! Links the addon against the symbols that the Node process provides.

fn main() {
    napi_build::setup();
}
