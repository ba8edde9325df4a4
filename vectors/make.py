#!/usr/bin/env python3
"""Makes the vectors in this folder, with nothing of ours: Python and `cryptography` (48 or newer for ML-DSA).

    python3 vectors/make.py            # from the root of the repository

Keys are kept where keys.json has them, and so is a file in which only signatures would differ that come out otherwise each
time: a second run changes nothing. Each case is written out by hand, in a file per scheme: what is signed and what is sent are two texts, so a case can
differ in one.
"""
import sys

sys.dont_write_bytecode = True

from make_app_hmac import app_hmac  # noqa: E402
from make_http_message_signatures import http_message_signatures  # noqa: E402
from make_pki import pki  # noqa: E402
from make_sealed_fields import sealed_fields  # noqa: E402
from make_trusted_site import trusted_site  # noqa: E402

if __name__ == "__main__":
    http_message_signatures()
    pki()
    trusted_site()
    app_hmac()
    sealed_fields()
