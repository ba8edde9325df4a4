"""The `openssl` command, over files, as one would type it."""

import pathlib
import subprocess

SIGNED, SIGNATURE = "signed.bin", "signature.bin"


def run(*arguments):
    return subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True)


def pss(digest, salt):
    options = ["rsa_padding_mode:pss", f"rsa_pss_saltlen:{salt}", f"rsa_mgf1_md:{digest}"]
    return [f"-{digest}", *(word for option in options for word in ("-sigopt", option))]


DIGESTS = {
    "rsa-v1_5-sha256": ["-sha256"],
    "rsa-pss-sha512": pss("sha512", 64),
    "rsa-pss-sha256": pss("sha256", 32),
}


def sign(algorithm, key, signed, digest=None):
    pathlib.Path(SIGNED).write_bytes(signed)
    if algorithm == "hmac-sha256":
        return mac(key)
    if algorithm == "ed25519":
        done = run("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", SIGNED, "-out", SIGNATURE)
    else:
        done = run("dgst", *(digest or DIGESTS[algorithm]), "-sign", key, "-out", SIGNATURE, SIGNED)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(SIGNATURE).read_bytes()


def verify(algorithm, key, signed, signature):
    pathlib.Path(SIGNED).write_bytes(signed)
    pathlib.Path(SIGNATURE).write_bytes(signature)
    if algorithm == "hmac-sha256":
        return mac(key) == signature
    if algorithm == "ed25519":
        public = ["-pubin", "-inkey", f"{key}.pub"]
        return run("pkeyutl", "-verify", *public, "-rawin", "-in", SIGNED, "-sigfile", SIGNATURE).returncode == 0
    return run("dgst", *DIGESTS[algorithm], "-verify", f"{key}.pub", "-signature", SIGNATURE, SIGNED).returncode == 0


def mac(key):
    """Of a secret, its file's bytes are the secret, less one final LF."""
    secret = pathlib.Path(key).read_bytes().removesuffix(b"\n")
    done = run("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{secret.hex()}", "-binary", SIGNED)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sha256(data):
    pathlib.Path(SIGNED).write_bytes(data)
    return run("dgst", "-sha256", "-binary", SIGNED).stdout
