//! From submission to a proof, and every reason not to take an envelope.

use waxwing_core::codec::Decode;
use waxwing_core::envelope::Body;
use waxwing_core::receipt::Acknowledgement;
use waxwing_net::wire::{Admission, Promise};

use crate::client::Client;
use crate::world::{World, Writer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_submitted_becomes_final_and_proves_itself() {
    let world = World::new();
    let node = world.validator().await;
    let mut client = Client::to(&world, &node).await;
    let mut writer = Writer::new(&world, 1);
    let sealed = [writer.seal(b"one"), writer.seal(b"two"), writer.seal(b"three")];
    let admissions = client.submit_for(&sealed, Promise::Signed).await;
    for (admission, envelope) in admissions.iter().zip(&sealed) {
        let Admission::Acknowledged(promise) = admission else {
            panic!("{admission:?}")
        };
        let promise = Acknowledgement::from_bytes(promise).unwrap();
        promise.verify(world.keys.network()).unwrap();
        assert_eq!(
            (promise.node, promise.entry),
            (node.node(), envelope.signed.entry_id(&world.keys))
        );
    }
    let log = writer.key.public();
    client.until_length(log, 3).await;
    let read = client.read(log).await;
    for ((carried, place), envelope) in read.iter().zip(&sealed) {
        assert_eq!(carried.signed, envelope.signed);
        assert_eq!(carried.body, Body::Present(envelope.body.clone()));
        let index = u64::try_from(sealed.iter().position(|one| one == envelope).unwrap()).unwrap();
        let ordered = client.receipt(&world, log, index).await.unwrap();
        assert_eq!((ordered.place, ordered.index), (*place, index));
    }
    assert_eq!(
        client.log(Writer::new(&world, 9).key.public()).await,
        None,
        "absence is proven as well"
    );
}
