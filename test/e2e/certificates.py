"""Certificates for tests, made by the openssl command: an authority of the test's own, and what it signs."""

import pathlib
import ssl
import subprocess


def openssl(*arguments, **options):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """Signs certificates of servers. All files lie in the folder, which must be there."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.cert, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.cert, "-subj", "/CN=Test authority", "-days", "30")

    def issue(self, name="server", days=30, algorithm=("ec", "ec_paramgen_curve:P-256"),
              names="DNS:localhost,IP:127.0.0.1"):
        """A certificate for these names, and its key: their paths."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        openssl("req", "-newkey", algorithm[0], "-pkeyopt", algorithm[1], "-nodes", "-keyout", key,
                "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n"
                              "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n"
                              "crlDistributionPoints=URI:http://localhost/crl\n")
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                "-days", days, "-extfile", extensions, "-out", cert)
        key.chmod(0o600)
        return str(cert), str(key)

    def context(self):
        """What a client needs to trust it."""
        context = ssl.create_default_context(cafile=str(self.cert))
        context.set_alpn_protocols(["http/1.1"])
        return context
