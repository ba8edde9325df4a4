//! An authority of OpenSSL's: certificates and revocation lists by its commands.

use std::process::{Command, Output};

use super::Dir;

pub struct OpenSsl<'a>(pub &'a Dir);

impl<'a> OpenSsl<'a> {
    /// Makes the authorities `servers` and `partners`.
    pub fn new(dir: &'a Dir) -> Self {
        dir.write("openssl.cnf", CONFIG);
        dir.write("index.txt", "");
        dir.write("crlnumber", "01\n");
        let this = Self(dir);
        for name in ["servers", "partners"] {
            this.run(&format!(
                "req -x509 -config openssl.cnf -extensions authority -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                 -subj /CN={name} -days 30 -keyout {name}.key -out {name}.pem"
            ));
        }
        this
    }

    /// Issues `NAME.pem` with `NAME.key` for `subject`, in a section of the configuration.
    pub fn issue(&self, authority: &str, name: &str, subject: &str, section: &str, days: u32) {
        self.run(&format!(
            "req -new -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={subject} -keyout \
             {name}.key.new -out {name}.csr"
        ));
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days {days} -extfile \
             openssl.cnf -extensions {section} -out {name}.pem.new"
        ));
        for end in ["key", "pem"] {
            let (new, old) = (format!("{name}.{end}.new"), format!("{name}.{end}"));
            std::fs::rename(self.0.path(&new), self.0.path(&old)).unwrap();
        }
    }

    pub fn revoke(&self, name: &str) {
        self.run(&format!("ca -config openssl.cnf -keyfile partners.key -cert partners.pem -revoke {name}.pem"));
    }

    /// Writes `partners.crl`.
    pub fn publish(&self) {
        self.run("ca -config openssl.cnf -keyfile partners.key -cert partners.pem -gencrl -out partners.crl.new");
        std::fs::rename(self.0.path("partners.crl.new"), self.0.path("partners.crl")).unwrap();
    }

    #[track_caller]
    pub fn run(&self, line: &str) -> Output {
        let ran = self.try_run(line);
        assert!(ran.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&ran.stderr));
        ran
    }

    pub fn try_run(&self, line: &str) -> Output {
        let mut command = Command::new("openssl");
        command.args(line.split_whitespace()).current_dir(self.0.here()).stdin(std::process::Stdio::null());
        command.output().unwrap_or_else(|fault| panic!("openssl: {fault}"))
    }
}

const CONFIG: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
subjectAltName = DNS:localhost,IP:127.0.0.1
extendedKeyUsage = serverAuth
[client]
extendedKeyUsage = clientAuth
[acme]
extendedKeyUsage = clientAuth
subjectAltName = URI:urn:countersign:partner:acme
[ca]
default_ca = partners
[partners]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
";
