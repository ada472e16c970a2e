"""Certificates for servers on loopback: an authority nobody trusts until a test says so, and a server's certificate."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Certificates:
    """`authority` is the file to trust; `server` serves `localhost` and 127.0.0.1, signed by it."""

    authority: Path
    server: ssl.SSLContext


def make_certificates(folder: Path, *, names: tuple[str, ...] = ("localhost",)) -> Certificates:
    """New ones, valid for an hour, their files in `folder`."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # The identifiers and the key usage are what Python's strict verification asks for from 3.13 on.
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Holdfast test authority")])
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    alternatives = [*(x509.DNSName(name) for name in names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = (
        _builder(x509.Name([]), authority_name, server_key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    files = {name: folder / name for name in ("authority.pem", "server.pem", "server.key")}
    files["authority.pem"].write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files["server.pem"].write_bytes(server.public_bytes(serialization.Encoding.PEM))
    files["server.key"].write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["server.pem"], files["server.key"])
    return Certificates(files["authority.pem"], context)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )
