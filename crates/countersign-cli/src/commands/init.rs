use std::path::{Path, PathBuf};

use super::wait;
use crate::config::init_file;
use crate::exit::{Exit, Failure, io};
use crate::file::NewFile;
use crate::output::say;
use crate::place::{ConfigFile, Place};

/// Writes a commented countersign.toml, and the data directory beside it
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    std::fs::create_dir_all(&args.dir)
        .map_err(|fault| io("can't make", &args.dir, &fault).hint("--dir names a directory, there or not"))?;
    let path =
        if args.dir == Path::new(".") { PathBuf::from("countersign.toml") } else { args.dir.join("countersign.toml") };
    let mut file = NewFile::create(&path, 0o644).map_err(|failure| {
        let elsewhere = "countersign init --dir DIR writes one elsewhere".to_owned();
        if path.exists() {
            let checks = format!("countersign lint{} checks it", flag_of(&path));
            return Failure { hints: vec![checks, elsewhere], ..failure };
        }
        failure.hint(elsewhere)
    })?;
    file.write(init_file().as_bytes())?;
    let config = ConfigFile::named(path.clone());
    let place = Place::find(&config)?;
    wait(async {
        place.registry_to_write().await?.close().await;
        Ok::<_, Failure>(())
    })??;
    file.keep();
    let flag = flag_of(&path);
    say!("configuration  {} (what is commented out is the default)", path.display());
    say!("data           {}", place.config.data.display());
    say!("registry       {}", place.registry_file()?.display());
    say!("next           countersign partner add NAME{flag}");
    say!("               countersign lint{flag}");
    say!("               countersign gateway{flag}");
    Ok(Exit::FINE)
}

/// What has to stand in a next command for it to mean this file.
fn flag_of(path: &Path) -> String {
    if path == Path::new("countersign.toml") { String::new() } else { ConfigFile::named(path.to_owned()).flag() }
}
