//! Answers that are no encoding of anything.

use waxwing_net::wire::{Entries, List, Opaque, Response};

/// The same answer with nothing readable in it.
pub(super) fn garble(response: Response) -> Response {
    let nothing = || Opaque::from(b"nothing".to_vec());
    match response {
        Response::Genesis(_) => Response::Genesis(nothing()),
        Response::Head(_) => Response::Head(nothing()),
        Response::Log(_) => Response::Log(nothing()),
        Response::Receipt(_) => Response::Receipt(nothing()),
        Response::Beacon(_) => Response::Beacon(nothing()),
        Response::Entries(entries) => Response::Entries(Entries {
            entries: List::new(vec![nothing()]).unwrap(),
            ..entries
        }),
        other => other,
    }
}
