//! Makes the server's side of the protocol out of the client crate's `.proto` files, without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files =
        protox::compile(["streams.proto", "gossip.proto", "serverfeatures.proto"], ["proto"])?;
    tonic_build::configure()
        .build_client(false)
        .bytes([".event_store.client.streams"])
        .include_file("protocol.rs")
        .compile_fds(files)?;
    Ok(())
}
