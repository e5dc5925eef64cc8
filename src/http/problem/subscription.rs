//! What is said about plans, seats and payments that an organization cannot have.

use events::quota::Excess;
use events::subscription::Rejection;

use super::{Code, FieldError, Problem};

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound | Rejection::PaymentMethodNotFound => Self::new(Code::NotFound),
            Rejection::DoesNotFit(excess) => {
                let errors = excess.into_iter().map(listed).collect();
                Self { errors, ..Self::new(Code::DoesNotFit) }
            }
            Rejection::SeatsUnlimited => Self::new(Code::SeatsUnlimited),
            Rejection::TooMany => Self::new(Code::PaymentMethodLimit),
        }
    }
}

pub(super) fn listed(Excess { quota, used, limit }: Excess) -> FieldError {
    let detail = format!("{used} are in use, {limit} would be allowed");
    FieldError { field: quota.as_str().to_owned(), detail }
}
