"""Behind something that ends TLS: the caller means `https://api.example.com`, and the configuration says so."""

from third_party import COVERED, CONFIG, SCHEME, ThirdParty

ROW = "public_url"


class PublicUrl(ThirdParty):
    config = CONFIG.replace("[gateway]", '[gateway]\npublic_url = ["https://api.example.com"]')
    origin = "api.example.com"

    def test_what_the_caller_means_is_what_was_signed(self):
        for covered in [COVERED, ("@scheme", *COVERED), ("@method", "@target-uri", "content-type")]:
            received = self.passes(
                ROW, self.order("ed25519", covered_component_ids=covered), "acme", "acme-ed25519", SCHEME
            )
            self.assertEqual(received.all("host"), ["api.example.com"])

    def test_the_default_port_is_none(self):
        request = self.order("ed25519")
        request.set("Host", "API.example.com:443")
        self.passes(ROW, request, "acme", "acme-ed25519", SCHEME)

    def test_another_name_is_refused_before_anything_else(self):
        for host in ("api.example.org", "api.example.com:8443", "api.example.com.", self.countersign.listen, ""):
            request = self.order("ed25519")
            request.set("Host", host)
            self.refused(ROW, f"as {host}", request, {"malformed", None})

    def test_no_stranger_says_how_he_came(self):
        for name, value in [("X-Forwarded-Host", "api.example.org"), ("Forwarded", "host=api.example.org;proto=http")]:
            request = self.order("ed25519")
            request.add(name, value)
            received = self.passes(ROW, request, "acme", "acme-ed25519", SCHEME)
            self.assertNotIn("api.example.org", " ".join(received.headers.values()))
