use countersign::Scheme;
use sqlx::AnyConnection;

use super::row::{SELECT_KEYS, entry_of};
use super::{Error, Failed, KeyEntry, Refused, Registry, partner};

impl Registry {
    /// Keys of one partner or of all, by partner, scheme and id, newest versions first.
    ///
    /// # Errors
    /// [`Refused::NoSuchPartner`]; [`Failed`] when the database does not answer.
    pub async fn keys(&self, of: Option<&str>) -> Result<Vec<KeyEntry>, Error> {
        let mut reader = self.reader().await?;
        if let Some(name) = of {
            partner::find(&mut reader, name).await?;
        }
        select(&mut reader, of.unwrap_or(""), "", "").await
    }

    /// Every version under an id, newest first, never empty. `scheme` decides where the id stands under two.
    ///
    /// # Errors
    /// [`Refused::NoSuchKey`], [`Refused::TwoSchemes`]; [`Failed`] when the database does not answer.
    pub async fn key(&self, id: &str, scheme: Option<Scheme>) -> Result<Vec<KeyEntry>, Error> {
        versions(&mut *self.reader().await?, id, scheme).await
    }

    /// Other entries with the same material as `key`: what else a leaked key could sign as.
    ///
    /// # Errors
    /// [`Failed`] when the database does not answer.
    pub async fn same_material(&self, key: &KeyEntry) -> Result<Vec<KeyEntry>, Error> {
        let all = self.keys(None).await?;
        let is_other = |it: &KeyEntry| (it.scheme, it.version, &it.id) != (key.scheme, key.version, &key.id);
        Ok(all.into_iter().filter(|it| it.fingerprint == key.fingerprint && is_other(it)).collect())
    }
}

pub(super) async fn versions(
    connection: &mut AnyConnection,
    id: &str,
    scheme: Option<Scheme>,
) -> Result<Vec<KeyEntry>, Error> {
    let no_such_key = || Refused::NoSuchKey { id: id.to_owned(), scheme }.into();
    if id.is_empty() {
        return Err(no_such_key());
    }
    let found = select(connection, "", id, scheme.map_or("", Scheme::as_str)).await?;
    let mut schemes: Vec<Scheme> = found.iter().map(|key| key.scheme).collect();
    schemes.sort_unstable();
    schemes.dedup();
    match schemes.len() {
        0 => Err(no_such_key()),
        1 => Ok(found),
        _ => Err(Refused::TwoSchemes { id: id.to_owned(), schemes }.into()),
    }
}

async fn select(connection: &mut AnyConnection, of: &str, id: &str, scheme: &str) -> Result<Vec<KeyEntry>, Error> {
    let rows = sqlx::query(SELECT_KEYS)
        .bind(of)
        .bind(id)
        .bind(scheme)
        .fetch_all(connection)
        .await
        .map_err(Failed::to("read its keys"))?;
    rows.iter().map(|row| entry_of(row).map_err(|what| Failed::Row(what).into())).collect()
}
