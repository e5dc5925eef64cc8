//! What is said about keys, plans and packets that there are not, or cannot be.

use events::{evidence, platform};

use super::{Code, FieldError, Problem};

impl From<evidence::Rejection> for Problem {
    fn from(rejection: evidence::Rejection) -> Self {
        use evidence::Rejection;
        match rejection {
            Rejection::NotSubscribed(_) => Self::new(Code::NotSubscribed),
            Rejection::NoSuchPacket => Self::new(Code::NotFound),
            Rejection::EmptyPeriod => Self::invalid(vec![FieldError {
                field: "period_end".to_owned(),
                detail: "must be after `period_start`".to_owned(),
            }]),
        }
    }
}

impl From<platform::Rejection> for Problem {
    fn from(rejection: platform::Rejection) -> Self {
        use platform::Rejection;
        match rejection {
            Rejection::NoSuchKey => Self::new(Code::NotFound),
            Rejection::AnotherSigns => Self::new(Code::Contended),
            Rejection::RevokedAlready => Self::new(Code::KeyRevoked),
            Rejection::TooManyPlans => Self::new(Code::PlanLimit),
        }
    }
}
