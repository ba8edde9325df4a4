use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use countersign_store::{DataLock, FileError, LockError, RegistryLock};

use crate::exit::{Failure, io};
use crate::place::Place;
use crate::replay;

/// What a gateway has to hold so that no other decides where it does.
pub(crate) struct Locks {
    data: DataLock,
    registry: RegistryLock,
    /// Of the data directory that the registry lies in, where that is another.
    its_data: Option<DataLock>,
}

/// The same as descriptors, from the process that held them so far. Of a registry that is shared there are none: whoever
/// comes may take it, too.
pub(crate) struct HandedLocks {
    pub(crate) data: OwnedFd,
    pub(crate) registry: Option<OwnedFd>,
    pub(crate) its_data: Option<OwnedFd>,
}

impl Locks {
    pub(super) fn acquire(place: &Place) -> Result<Self, Failure> {
        let data = DataLock::acquire(&place.config.data)?;
        let (registry, its_data) = lock_registry(place, &data, None, None)?;
        Ok(Self { data, registry, its_data })
    }

    pub(super) fn take_over(place: &Place, handed: HandedLocks) -> Result<Self, Failure> {
        let data = DataLock::take_over(&place.config.data, handed.data)?;
        let (registry, its_data) = lock_registry(place, &data, handed.registry, handed.its_data)?;
        Ok(Self { data, registry, its_data })
    }

    /// The data directory's.
    pub(crate) fn data(&self) -> &DataLock {
        &self.data
    }

    /// The registry's, and the data directory's that it lies in, where that is another.
    pub(crate) fn registry(&self) -> (Option<BorrowedFd<'_>>, Option<BorrowedFd<'_>>) {
        (Some(self.registry.as_fd()), self.its_data.as_ref().map(AsFd::as_fd))
    }

    /// Writes down that this process has them.
    pub(super) fn name_me(&self) -> Result<(), FileError> {
        self.data.name_me()?;
        self.its_data.as_ref().map_or(Ok(()), DataLock::name_me)
    }
}

/// Two gateways with the same keys and a memory each would let a request pass once at each: whoever remembers alone is alone
/// with its registry, too, wherever that is. Those that share a memory may share a registry. What was handed over counts where
/// it is of the configuration's registry.
fn lock_registry(
    place: &Place,
    data: &DataLock,
    handed: Option<OwnedFd>,
    its_handed: Option<OwnedFd>,
) -> Result<(RegistryLock, Option<DataLock>), Failure> {
    let file = place.registry_file()?;
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(|fault| io("can't make", dir, &fault))?;
    let held = |error| match error {
        LockError::Held { pid, .. } => {
            let by = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let failure = Failure::usage(format!("the registry in {} is served by another gateway{by}", dir.display()));
            failure.hint("each would let the same request pass once: let one gateway serve all routes").hint(
                "or let them share their replay memory: url = \"redis://…\" in [replay], the same one for each of them",
            )
        }
        LockError::File(error) => error.into(),
    };
    if replay::is_shared(&place.config.replay)? {
        return Ok((RegistryLock::beside_others(dir).map_err(held)?, None));
    }
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    let its_data = if same(dir, data.dir()) {
        None
    } else if let Some(Ok(lock)) = its_handed.map(|handed| DataLock::take_over(dir, handed)) {
        Some(lock)
    } else {
        Some(DataLock::acquire(dir).map_err(held)?)
    };
    let registry = match handed.map(|handed| RegistryLock::take_over(dir, handed)) {
        Some(Ok(lock)) => lock,
        _ => RegistryLock::alone(dir).map_err(held)?,
    };
    Ok((registry, its_data))
}
