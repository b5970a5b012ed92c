"""docs/protocol.md as a recipient needs it: an account's keys, and the sealed bytes that they open. No IO here, either."""

import hashlib, hmac, json, re

import blake3, mnemonic
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as xchacha20poly1305_decrypt

from protocol import CHUNK, PART, SEALED_CHUNK, Fields, attempt, b64, encode, label, padme, parse, part_sizes
from protocol import require, sealed_length, sha256, unb64

HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def derive(root, secret, use, where=b""):
    """§3.1: HKDF-SHA256, of which one block is enough."""
    prk = hmac.digest(label(root)[:-1], secret, "sha256")
    return hmac.digest(prk, label(use) + where + b"\x01", "sha256")


def kem_key_pair(seed):
    """§2.2: the private key, and the public one."""
    expanded = hashlib.shake_256(seed).digest(96)
    lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return hpke.MLKEM768X25519PrivateKey(lattice, curve), public


class AccountKeys:
    """§3.1"""

    def __init__(self, seed):
        self.signing = ed25519.Ed25519PrivateKey.from_private_bytes(derive("account", seed, "signing"))
        self.signing_public = self.signing.public_key().public_bytes_raw()
        self.kem, self.kem_public = kem_key_pair(derive("account", seed, "kem"))
        self.vault = derive("account", seed, "vault")

    def sign(self, kind, **fields):
        payload = encode(kind, **fields)
        parse(kind, payload)  # nothing malformed is signed, whoever gave the fields
        signature = self.signing.sign(label(kind) + payload)
        return {"type": kind, "payload": b64(payload), "signature": b64(signature)}


def place(org_id, file_or_user_id, version):
    return bytes.fromhex(org_id + file_or_user_id) + version.to_bytes(8)


def file_keys(file_key, where):
    return [derive("file", file_key, use, where) for use in ("content", "metadata", "commitment")]


def open_share(private_key, bundle_id, share):
    """Steps 6 and 7 of §8: content key and metadata key."""
    require(share_other_generation=share.recipient_bundle == bundle_id)
    info = label("share-info") + hashlib.sha256(unb64(share.context)).digest()
    file_key = attempt("file_key_unopenable", HPKE.decrypt, share.wrapped, private_key, info)
    content, metadata, commitment = file_keys(file_key, place(share.org_id, share.file_id, share.version))
    require(commitment_mismatch=hmac.compare_digest(commitment.hex(), share.commitment))
    return content, metadata


def check_part_list(digests, length, digest):
    """The sizes of the parts whose digests were signed (§7.1)."""
    sizes = part_sizes(length)
    require(part_count=len(digests) == len(sizes))
    signed = label("parts") + length.to_bytes(8) + b"".join(digests)
    require(part_list_mismatch=blake3.blake3(signed).hexdigest() == digest)
    return sizes


def open_chunk(key, number, last, sealed):
    nonce = number.to_bytes(11) + bytes([last])
    return attempt("content_unopenable", ChaCha20Poly1305(key).decrypt, nonce, sealed, None)


def open_part(key, digests, sizes, size, index, part):
    """A part's content, chunk by chunk and without padding, once all of the part is what was signed (§7.1)."""
    require(part_length=index < len(sizes) and len(part) == sizes[index])
    require(part_mismatch=blake3.blake3(part).digest() == digests[index])
    for start in range(0, len(part), SEALED_CHUNK):
        number = (index * PART + start) // SEALED_CHUNK
        last = index == len(sizes) - 1 and start + SEALED_CHUNK >= len(part)
        chunk = open_chunk(key, number, last, part[start : start + SEALED_CHUNK])
        content = max(0, size - number * CHUNK)
        require(content_padding=not any(chunk[content:]))
        yield chunk[:content]


def unseal(use, key, where, sealed, prefix, padded):
    """What stands between a length of `prefix` bytes and zeros (§3.5, §7.2); None if that is no good."""
    box = sealed[24:], label(use) + where, sealed[:24]
    plain = attempt(f"{use}_unopenable", xchacha20poly1305_decrypt, *box, key)
    end = prefix + int.from_bytes(plain[:prefix])
    return plain[prefix:end] if len(plain) == padded(end) and not any(plain[end:]) else b""


def open_metadata(key, where, sealed, manifest):
    """§7.2"""
    require(metadata_too_long=len(sealed) <= 16_384, metadata_mismatch=sha256(sealed) == manifest.metadata)
    plain = unseal("metadata", key, where, sealed, 2, lambda end: -(-end // 512) * 512)
    fields = Fields(**attempt("metadata_malformed", parse, "metadata", plain))
    require(metadata_size=attempt("metadata_size", sealed_length, fields.size) == manifest.length)
    return fields


def open_vault(key, org_id, user_id, version, sealed):
    """§3.5"""
    require(vault_too_long=len(sealed) <= 4 << 20)
    where = place(org_id, user_id, version)
    plain = unseal("vault", key, where, sealed, 4, lambda end: padme(max(end, 4096)))
    vault = attempt("vault_unopenable", json.loads, plain)
    require(vault_unopenable=vault["version"] == version)
    return vault


def read_words(text):
    """§3.6: the account's seed."""
    words, bip39 = re.findall("[a-z]+", text.lower()), mnemonic.Mnemonic("english")
    require(kit_word_count=len(words) == 24, kit_word_unknown=set(words) <= set(bip39.wordlist))
    require(kit_word_checksum=bip39.check(" ".join(words)))
    return bytes(bip39.to_entropy(words))


def read_code(text, size):
    """Crockford base32 of `size` bytes and their checksum (§3.6, §6.1)."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    text = text.upper().translate(str.maketrans("OIL", "011", "- "))
    spare = len(text) * 5 - (size + 3) * 8
    require(kit_code_mistyped=0 <= spare < 5 and set(text) <= set(digits))
    number = sum(digits.index(digit) << 5 * n for n, digit in enumerate(reversed(text)))
    require(kit_code_mistyped=number % (1 << spare) == 0)
    raw = (number >> spare).to_bytes(size + 3)
    require(kit_code_checksum=sha256(label("kit"), raw[:-3])[:6] == raw[-3:].hex())
    return raw[:-3]
