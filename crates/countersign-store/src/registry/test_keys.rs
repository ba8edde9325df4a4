use countersign::Material;

/// The name of the specification's key whose material this is.
pub(super) fn name_of(material: &Material) -> Option<&'static str> {
    let fingerprint = material.fingerprint();
    let hex: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    TEST_KEYS.iter().find(|(hash, _)| *hash == hex).map(|(_, name)| *name)
}

/// Keys whose private halves are printed in specifications, by [`Material::fingerprint`]. A secret stands here twice: as the
/// bytes that it is, and as the text that people paste.
const TEST_KEYS: &[(&str, &str)] = &[
    ("c73eecd318bd3813f2402a660d8a90010ca35d609d19377d5ee7af200713229f", "test-key-rsa of RFC 9421"),
    ("72859cbaf21a0b398b1f25712bbed148b1d85a0c6b824176eb306405caa6f0b2", "test-key-rsa-pss of RFC 9421"),
    ("55f96361b78cbb84f1fc604b0718e82bd91abb46d8fc25ae871b35fbbf8b7974", "test-key-ecc-p256 of RFC 9421"),
    ("34571606cb7a0d71be377e671ddcccae2a169ed7733598214129231cd30c4a3c", "test-key-ed25519 of RFC 9421"),
    ("57ca14d520f889be5bc6d9313b442f62a4a71d63fceac507c914683a8944b4a0", "test-shared-secret of RFC 9421"),
    ("a3a51938d85d1dad8e679ee3ac2e2d6fa331c9c83ef036b4e3d54e44896b841d", "test-shared-secret of RFC 9421 in Base64"),
    ("d7a46c86b4572dd32cb6662d651331959c3782c05b3a7eddf2b787bd545ef53e", "ml-dsa-44 of C2SP httpsig-pq"),
    ("9cd1cc868e3e3c97e9c1d43552abe47ee16838701e52b0f6946b04a2734f4732", "ml-dsa-65 of C2SP httpsig-pq"),
    ("fcf5805bcc363b0861d89531431e066eee7ce240e2a591f7cc3d10780ae2cc46", "ml-dsa-87 of C2SP httpsig-pq"),
    ("2bd1bb0c44a897c30a7aa0991cde38d8062fe441de50da0f46825344f602e827", "the ES256 key of RFC 7515"),
    ("6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c", "the RS256 key of RFC 7515"),
    ("c8ecc9361a05e285f04c26f9572131a6deab07e9e2b865053c6f75a4d8bd2b32", "the HS256 key of RFC 7515"),
    ("7c89043d7bfe4a2e4d4aa5a00b6007d95e14c499ef79eca8d22b3c37b773c0c1", "the HS256 key of RFC 7515 in base64url"),
    ("51b944cdfa544d4c3273aa6bf350625a7dd53bbb6a71723274f538b19a207760", "the EC key of RFC 7517"),
    ("ad32320cf6c596d884b05381ba573aba8ddd5749b4de8f4a23a79f9a89ddaeb2", "the RSA key of RFC 7517 and RFC 7638"),
    ("a4109e6bac8043ec089a57064aeb14d0b5fd5025b95810541c52a168aa565344", "the RSA key of RFC 7517 appendix C"),
    ("889739abe083692184f51fd8c31db517f5d6d49a101a67e70cac1db8b51ad955", "the A128KW key of RFC 7517"),
    ("b2040efa31b1f3d8d8904aa3a967d445dd3023979aa4dd0b72f94fe97493fcdd", "the A128KW key of RFC 7517 in base64url"),
    ("06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9", "the key of RFC 8037 and of RFC 8032 test 1"),
    ("deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170", "the key of RFC 8032 test 2"),
    ("8d39ba50abe50f77b6bb8ae7b6927aff7ffbeba35ad2837c0e51e82bcbcc60d5", "the key of RFC 8032 test 3"),
    ("e4f982b51ad0bdd87be820b259fe80337ef636e72b9fa7a8867a6949eb610fd6", "the key of RFC 8032 test 1024"),
    ("e77db4a9572e9f6552c22bc751d5499ad218a73bdf7e15dc6ea0fc69246a44de", "the key of RFC 8032 test SHA(abc)"),
];
