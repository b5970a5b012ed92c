//! Pieces out of the middle of a file: exactly what was asked for, verified, and counted once.

use sealpost_client::{ClientBuilder, ErrorKind, Terms};
use sealpost_tests::{
    TestServer, on_every_backend,
    raw::random_bytes,
    sdk::{self, Device},
};

use crate::transport::Tampering;

const PART: usize = 8 * 1024 * 1024;

async fn read(device: &Device, file: sealpost_client::FileId, range: std::ops::Range<usize>) -> Vec<u8> {
    let download = device.me.download(file).await.unwrap();
    download.read_range(range.start as u64..range.end as u64).await.unwrap()
}

on_every_backend! {
    async fn any_range_of_a_file(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        // Two parts and a bit; the last one is padded.
        let content = random_bytes(2 * PART + 70_000);
        let size = content.len();
        let file = ops.upload("large.bin", &content).await;
        ops.share(file, &client, Terms { downloads: Some(1), ..Terms::default() }).await.unwrap();

        for range in [
            0..1,
            0..size,
            100..100,
            size..size,
            65_530..65_550,
            PART - 1..PART + 1,
            PART..2 * PART,
            PART - 5..2 * PART + 5,
            size - 1..size,
        ] {
            assert!(read(&client, file, range.clone()).await == content[range.clone()], "{range:?}");
        }

        let download = client.me.download(file).await.unwrap();
        let size = size as u64;
        for outside in [0..size + 1, size..size + 1, size + 1..size + 1, 0..u64::MAX] {
            let error = download.read_range(outside).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "range_outside"));
        }
        let (start, end) = (2, 1);
        assert_eq!(download.read_range(start..end).await.unwrap_err().code(), "range_outside");

        // One download of one, however many pieces; and no receipt before every byte arrived.
        let own = ops.me.files(None).await.unwrap().items.remove(0);
        assert_eq!(own.shares[0].downloads, 1);
        assert_eq!(own.shares[0].received_at, None);
        assert!(client.download(file).await.unwrap() == content);
        assert_eq!(client.me.download(file).await.err().unwrap().kind(), ErrorKind::NotFound);
    }

    async fn a_part_that_was_tampered_with_gives_no_byte(server: TestServer) {
        let ops = sdk::found(&server).await;
        let content = random_bytes(PART + 70_000);
        let file = ops.upload("large.bin", &content).await;
        let transport = Tampering::of(&server);
        let builder = ClientBuilder::new().transport(transport.clone());
        let me = builder.resume(std::sync::Arc::new(ops.store.clone())).await.unwrap();
        let download = me.download(file).await.unwrap();
        let end = content.len() as u64;
        assert!(download.read_range(end - 10..end).await.unwrap() == content[content.len() - 10..]);
        transport.arm();
        let error = download.read_range(end - 10..end).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "part_mismatch"));
    }
}
