//! Users of the registry's database, as a gateway asks for them.

use countersign::{BoxFuture, Code, Identity, Refusal, Rejection, Timestamp, Vouched};
use countersign_proxy::{User, UserStore};
use countersign_store::Users;
use countersign_store::users::{self, Email, NewUser, NoUser};

/// The users beside a registry.
pub(crate) struct RegistryUsers(pub(crate) Users);

impl UserStore for RegistryUsers {
    fn register<'a>(
        &'a self,
        vouched: &'a Vouched,
        by: &'a Identity,
        credits: u64,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<User, Refusal>> {
        Box::pin(async move {
            let email = email(vouched)?;
            let new = NewUser { email: &email, site: &by.key, partner: &by.partner, credits };
            self.0.register(new, now).await.map(told).map_err(refused)
        })
    }

    fn login<'a>(
        &'a self,
        vouched: &'a Vouched,
        by: &'a Identity,
        shared: bool,
    ) -> BoxFuture<'a, Result<User, Refusal>> {
        Box::pin(async move {
            match self.0.login(&vouched.email, &by.partner, shared).await {
                // An address that is none is told so, whether or not another partner had it registered while it was one.
                Err(NoUser::Unknown) => Err(email(vouched).map_or_else(Refusal::from, |_| refused(NoUser::Unknown))),
                found => found.map(told).map_err(refused),
            }
        })
    }
}

fn email(vouched: &Vouched) -> Result<Email, Rejection> {
    Email::parse(&vouched.email).map_err(|fault| Rejection::new(Code::UserInvalid, fault.0))
}

fn told(user: users::User) -> User {
    let users::User { id, email, credits_remaining, registered_via, .. } = user;
    User { id, email, credits_remaining, registered_via }
}

fn refused(fault: NoUser) -> Refusal {
    match fault {
        NoUser::Taken => Rejection::new(Code::UserExists, "the e-mail is registered already").into(),
        NoUser::Unknown => Rejection::new(Code::NoUser, "this partner registered nobody with this e-mail").into(),
        NoUser::Unavailable(unavailable) => unavailable.into(),
    }
}
