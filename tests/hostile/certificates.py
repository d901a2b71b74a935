"""Certificates for receivers over TLS, made with the openssl command line."""
import pathlib
import ssl
import subprocess
import tempfile


class Certificates:
    """An authority in a temporary folder, whose `ca` file a server trusts by SSL_CERT_FILE, and contexts() of receivers
    that are wrong in one way each. "good" is right."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="eventhorn-hostile-")
        self.path = pathlib.Path(self.folder.name)
        self.ca = self._authority("ca")
        self._authority("unknown")

    def close(self):
        self.folder.cleanup()

    def context(self, name):
        """One of NAMES."""
        names = "DNS:other.example.org" if name == "wrong host" else "IP:127.0.0.1,DNS:localhost"
        days = "-1" if name == "expired" else "2"
        digest = "-sha1" if name == "sha1" else "-sha256"
        authority = {"unknown authority": "unknown", "self-signed": None}.get(name, "ca")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if name in ("sha1", "TLS 1.0", "TLS 1.1"):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if name in ("TLS 1.0", "TLS 1.1"):
            version = ssl.TLSVersion.TLSv1 if name == "TLS 1.0" else ssl.TLSVersion.TLSv1_1
            context.minimum_version = context.maximum_version = version
        if name.startswith("client certificate"):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
            if name.endswith("1.2"):
                context.maximum_version = ssl.TLSVersion.TLSv1_2
        if name == "h2 alone":
            context.set_alpn_protocols(["h2"])
        context.load_cert_chain(*self.leaf(name.replace(" ", "-"), names, days, digest, authority))
        return context

    def leaf(self, name, names="IP:127.0.0.1", days="2", digest="-sha256", authority="ca"):
        """The files (certificate, key) of a certificate for `names`; signed by itself without `authority`."""
        key, request, made = (self.path / f"{name}.{suffix}" for suffix in ("key", "csr", "pem"))
        extensions = self.path / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=receiver", "-keyout", key, "-out", request)
        signer = (["-CA", self.path / f"{authority}.pem", "-CAkey", self.path / f"{authority}.key", "-CAcreateserial"]
                  if authority else ["-signkey", key])
        self._openssl("x509", "-req", "-in", request, *signer, "-days", days, digest, "-extfile", extensions,
                      "-out", made)
        return made, key

    def _authority(self, name):
        made = self.path / f"{name}.pem"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
                      self.path / f"{name}.key", "-out", made)
        return made

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"


# What each must be called in the outcome of the test call: the word that tells an operator what to mend.
NAMES = {
    "expired": "expired",
    "self-signed": "self",
    "wrong host": "another host",
    "unknown authority": "unknown authority",
    "sha1": "weak signature",
    "TLS 1.0": "TLS",
    "TLS 1.1": "TLS",
    "client certificate 1.2": "wants a client certificate",
    "client certificate": "wants a client certificate",
}
