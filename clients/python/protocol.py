"""Sealpost protocol, version 1: what a recipient needs, written from docs/protocol.md (section numbers are its).

Pure functions over bytes. Whatever must be refused raises `Refused` with the specification's code.
Ids are lowercase hex, keys and signatures are bytes, as `parse` gives them.
"""
import base64, hashlib, hmac, json, math, re, struct, unicodedata
from types import SimpleNamespace

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mnemonic import Mnemonic
from nacl import bindings, exceptions

V, ZERO32, ZERO16 = b"sealpost/v1/", "00" * 32, "00" * 16
MAX_PAYLOAD, MAX_METADATA, MAX_VAULT, MAX_INT = 8192, 16384, 2**22, 2**53 - 1
CHUNK, TAG, PART = 65536, 16, 128 * (65536 + 16)
CLIENT, OPS, LEFT, COMPROMISED = 1, 2, 1, 2
POSITION = " log_size:int log_head:id32 log_sig:sig64"
AUTHOR = "org_id:id32 signer:id16 signer_bundle:id32 "
ENTRY = AUTHOR + "sequence:int previous:id32 "
SCHEMAS = {  # §4.5
    "genesis": "user_id:id16 subject:id32 signing_key:key32 kem_key:key1216 suite:int generation:int nonce:id32 name:text checkpoint_key:key32",
    "bundle": "org_id:id32 user_id:id16 signing_key:key32 kem_key:key1216 suite:int generation:int",
    "certify": ENTRY + "user_id:id16 subject:id32 role:role bundle:id32 generation:int offer:id32 replaces:id16",
    "rotate": ENTRY + "bundle:id32 generation:int",
    "revoke": ENTRY + "user_id:id16 last_valid_size:int reason:reason",
    "service": ENTRY + "checkpoint_key:key32",
    "checkpoint": "org_id:id32 log_size:int log_head:id32",
    "offer": AUTHOR + "invite_id:id16 user_id:id16 subject:id32 role:role account_key:bool expiry:int" + POSITION,
    "accept": AUTHOR + "offer:id32",
    "credential": AUTHOR + "generation:int epoch:int account_key:bool nonce:id32 opaque_record:id32 envelope:id32 previous:id32",
    "login": AUTHOR + "nonce:id32 time:int",
    "manifest": AUTHOR + "file_id:id16 version:int length:int digest:id32 metadata:id32 commitment:id32 previous:id32 time:int" + POSITION,
    "share": AUTHOR + "context:bytes sealed:id32",
    "unshare": AUTHOR + "file_id:id16 recipient:id16 share:id32 pair_sequence:int pair_previous:id32 time:int" + POSITION,
    "withdraw": AUTHOR + "file_id:id16",
    "receipt": AUTHOR + "share:id32 manifest:id32 time:int" + POSITION,
}
CONTEXT = ("file_id:id16 version:int manifest:id32 commitment:id32 sender:id16 sender_bundle:id32 recipient:id16 "
           "recipient_bundle:id32 pair_sequence:int pair_previous:id32 expiry:int limit:int time:int" + POSITION)
METADATA = "name:text media_type:text size:int modified:int note:text"
ENVELOPE_HEADER = struct.Struct(">16sQQQB")


class Refused(Exception):
    """Something does not verify; `code` is the specification's (§10)."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def require(condition, code):
    if not condition:
        raise Refused(code)


# --- §1.1, §2: labels, derivation, primitives ---

def labelled(label, *fields):
    return V + label + b"\0" + b"".join(fields)

def sha256(data):
    return hashlib.sha256(data).hexdigest()

def extract(salt, ikm):
    return hmac.digest(V + salt, ikm, "sha256")

def expand(prk, label, *fields):
    return hmac.digest(prk, labelled(label, *fields) + b"\x01", "sha256")

def u64(value):
    return struct.pack(">Q", value)

def unbase64(text):
    """Unpadded base64url, in its one form."""
    require(isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]*", text), "malformed")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused("malformed") from None
    require(to_base64(data) == text, "malformed")
    return data

def to_base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = {0, 1, P - 1, Y8, P - Y8}  # y of the eight points of small order

def point_valid(data):
    """§2.1: a canonical encoding of a point that has not small order."""
    y = int.from_bytes(data, "little") % 2**255
    if len(data) != 32 or y >= P or y in SMALL_ORDER:
        return False
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    return pow(x_squared, (P - 1) // 2, P) == 1

def signature_valid(key, message, signature):
    """§2.1. The library checks S < L and compares R's bytes with those of [S]B − [k]A."""
    if not point_valid(key) or not point_valid(signature[:32]):
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True

def kem_key_valid(key):
    """§2.2: both halves."""
    triples = zip(key[0:1152:3], key[1:1152:3], key[2:1152:3])
    if len(key) != 1216 or any(a | (b & 15) << 8 >= 3329 or b >> 4 | c << 4 >= 3329 for a, b, c in triples):
        return False
    try:
        x25519.X25519PrivateKey.generate().exchange(x25519.X25519PublicKey.from_public_bytes(key[1184:]))
    except ValueError:
        return False
    return True

def xchacha_open(key, aad, sealed, code):
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[24:], aad, sealed[:24], key)
    except (exceptions.CryptoError, exceptions.TypeError, exceptions.ValueError):
        raise Refused(code) from None


# --- §3.1 keys, §3.6 kit ---

class Account:
    """The keys that a seed gives."""

    def __init__(self, seed):
        prk = extract(b"account", seed)
        self.signing = ed25519.Ed25519PrivateKey.from_private_bytes(expand(prk, b"signing"))
        self.signing_key = self.signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kem, self.kem_key = kem_pair(expand(prk, b"kem"))
        self.vault_key = expand(prk, b"vault")

    def identify(self, org_id, user_id, generation):
        """The bundle follows from seed, organisation, account and generation, byte for byte."""
        self.org_id, self.user_id, self.generation = org_id, user_id, generation
        self.bundle = self.sign("bundle", org_id=org_id, user_id=user_id, signing_key=to_base64(self.signing_key),
                                kem_key=to_base64(self.kem_key), suite=1, generation=generation)
        self.bundle_id = record_id(self.bundle)

    def sign(self, kind, **fields):
        payload = encode(fields)
        parse(SCHEMAS[kind], payload)
        signature = self.signing.sign(V + kind.encode() + b"\0" + payload)
        return {"type": kind, "payload": to_base64(payload), "signature": to_base64(signature)}

    def sign_as_author(self, kind, **fields):
        return self.sign(kind, org_id=self.org_id, signer=self.user_id, signer_bundle=self.bundle_id, **fields)

def kem_pair(seed):
    expanded = hashlib.shake_256(seed).digest(96)
    ml, x = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
    return (hpke.MLKEM768X25519PrivateKey(ml, x),
            ml.public_key().public_bytes_raw() + x.public_key().public_bytes_raw())

def file_keys(org_id, file_id, version, file_key):
    """(content key, metadata key, commitment, place)"""
    place = bytes.fromhex(org_id) + bytes.fromhex(file_id) + u64(version)
    prk = extract(b"file", file_key)
    return (*(expand(prk, label, place) for label in (b"content", b"metadata", b"commitment")), place)

def kit_seed(text):
    """24 words, however they were typed or numbered."""
    words, english = re.findall("[a-z]+", text.lower()), Mnemonic("english")
    require(set(words) <= set(english.wordlist), "kit_word_unknown")
    require(len(words) == 24, "kit_word_count")
    require(english.check(" ".join(words)), "kit_word_checksum")
    return bytes(english.to_entropy(words))

def kit_code(text, length):
    """A base32 field of `length` bytes and its checksum."""
    digits = re.sub("[- ]", "", text.strip()).upper().translate(str.maketrans("OIL", "011"))
    places = ["0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(digit) for digit in digits]
    spare = 5 * len(places) - 8 * (length + 3)
    require(-1 not in places and 0 <= spare < 5, "kit_code_mistyped")
    value = int("".join(f"{place:05b}" for place in places), 2)
    require(value % (1 << spare) == 0, "kit_code_mistyped")
    data = (value >> spare).to_bytes(length + 3, "big")
    require(hashlib.sha256(labelled(b"kit", data[:length])).digest()[:3] == data[length:], "kit_code_checksum")
    return data[:length]


# --- §4: records ---

def encode(fields):
    return json.dumps(fields, separators=(",", ":")).encode()

def parse(schema, payload):
    """§4.2: the fields, if these are the bytes that encode them."""
    require(len(payload) <= MAX_PAYLOAD, "malformed")
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        raise Refused("malformed") from None
    kinds = dict(field.split(":") for field in schema.split())
    require(isinstance(fields, dict) and list(fields) == list(kinds), "malformed")
    values = {name: field_value(kind, fields[name]) for name, kind in kinds.items()}
    require(encode(fields) == payload, "malformed")
    return SimpleNamespace(**values)

def field_value(kind, value):
    if kind in ("int", "role", "reason"):
        require(type(value) is int and 0 <= value <= MAX_INT and (kind == "int" or value in (1, 2)), "malformed")
        return value
    if kind == "bool":
        require(type(value) is bool, "malformed")
        return value
    if kind in ("id16", "id32"):
        require(isinstance(value, str) and re.fullmatch("[0-9a-f]{%d}" % (2 * int(kind[2:])), value), "malformed")
        return value
    data = unbase64(value)
    if kind == "text":
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Refused("malformed") from None
    require(kind == "bytes" or len(data) == int(kind[3:]), "malformed")
    return data

def signed_bytes(raw):
    require(isinstance(raw, dict) and raw.keys() == {"type", "payload", "signature"}, "malformed")
    require(isinstance(raw["type"], str), "malformed")
    return V + raw["type"].encode() + b"\0" + unbase64(raw["payload"])

def record_id(raw):
    return sha256(signed_bytes(raw))

def claim(kind, raw):
    """What a record says, unverified: only for finding the key that must verify it."""
    message = signed_bytes(raw)
    require(raw["type"] == kind, "wrong_type")
    record = parse(SCHEMAS[kind], message[len(V) + len(kind) + 1:])
    record.id, record.raw = sha256(message), raw
    return record

def verify(kind, raw, key):
    """§4.1, in its order."""
    message = signed_bytes(raw)
    require(raw["type"] == kind, "wrong_type")
    require(len(message) - len(V) - len(kind) - 1 <= MAX_PAYLOAD, "malformed")
    require(signature_valid(key, message, field_value("sig64", raw["signature"])), "signature_invalid")
    return claim(kind, raw)

def verify_bundle(raw, expected):
    """§4.6"""
    require(record_id(raw) == expected, "bundle_mismatch")
    bundle = claim("bundle", raw)
    require(bundle.suite == 1, "unsupported_suite")
    require(point_valid(bundle.signing_key), "signing_key_invalid")
    verify("bundle", raw, bundle.signing_key)
    require(bundle.generation >= 1, "bundle_generation")
    require(kem_key_valid(bundle.kem_key), "kem_key_invalid")
    return bundle

def verify_subject(opening, subject):
    """§4.4"""
    email, name = opening.email.encode(), opening.name.encode()
    require(len(name) <= 256, "name_too_long")
    hashed = labelled(b"subject", bytes.fromhex(opening.salt), bytes.fromhex(opening.user_id),
                      struct.pack(">H", len(email)), email, struct.pack(">H", len(name)), name)
    require(sha256(hashed) == subject, "opening_mismatch")

def email_address(text):
    """§4.4: in lower case."""
    require(len(text) <= 254, "email_too_long")
    require(all(0x21 <= ord(character) <= 0x7E for character in text), "email_character")
    before, at, after = text.partition("@")
    require(before and after and "@" not in after, "email_form")
    return text.lower()


# --- §3.5: the vault ---

def open_vault(sealed, key, org_id, user_id, version):
    require(len(sealed) <= MAX_VAULT, "vault_too_long")
    aad = labelled(b"vault", bytes.fromhex(org_id), bytes.fromhex(user_id), u64(version))
    plain = xchacha_open(key, aad, sealed, "vault_unopenable")
    end = 4 + int.from_bytes(plain[:4], "big")
    require(len(plain) == padded_length(end) and not any(plain[end:]), "vault_unopenable")
    try:
        vault = json.loads(plain[4:end])
    except (ValueError, RecursionError):
        raise Refused("vault_unopenable") from None
    require(isinstance(vault, dict) and vault.get("version") == version, "vault_unopenable")
    return vault


# --- §7.1, §7.2: content, metadata ---

def padded_length(size):
    require(size <= 2**39, "size_too_large")
    length = max(size, 4096)
    exponent = length.bit_length() - 1
    step = 1 << exponent - (exponent.bit_length())
    return -(-length // step) * step

def sealed_length(size):
    padded = padded_length(size)
    return padded + TAG * -(-padded // CHUNK)

def plain_length(length):
    """L of a sealed length; refuses lengths that no file has."""
    require(length <= sealed_length(2**39), "size_too_large")
    padded = length - TAG * -(-length // (CHUNK + TAG))
    require(padded >= 4096 and padded_length(padded) == padded and sealed_length(padded) == length, "size_impossible")
    return padded

def open_metadata(sealed, key, place, manifest):
    require(len(sealed) <= MAX_METADATA, "metadata_too_long")
    require(sha256(sealed) == manifest.metadata, "metadata_mismatch")
    plain = xchacha_open(key, labelled(b"metadata", place), sealed, "metadata_unopenable")
    end = 2 + int.from_bytes(plain[:2], "big")
    require(len(plain) == -(-end // 512) * 512 and not any(plain[end:]), "metadata_malformed")
    try:
        metadata = parse(METADATA, plain[2:end])
    except Refused:
        raise Refused("metadata_malformed") from None
    require(metadata.size <= 2**39 and sealed_length(metadata.size) == manifest.length, "metadata_size")
    return metadata

class Parts:
    """A list of part digests that the manifest signed, and the parts it lets through."""

    def __init__(self, manifest, digests):
        self.length, self.padded = manifest.length, plain_length(manifest.length)
        require(len(digests) == -(-self.length // PART), "part_count")
        hashed = labelled(b"parts", u64(self.length), *digests)
        require(blake3(hashed).hexdigest() == manifest.digest, "part_list_mismatch")
        self.digests = digests

    def part_length(self, index):
        require(0 <= index < len(self.digests), "part_length")
        return min(PART, self.length - index * PART)

    def open(self, index, sealed, content_key, size):
        """The content in a part, without padding."""
        require(len(sealed) == self.part_length(index), "part_length")
        require(blake3(sealed).digest() == self.digests[index], "part_mismatch")
        plain = b"".join(self._chunk(index * 128 + n, sealed[at:at + CHUNK + TAG], content_key)
                         for n, at in enumerate(range(0, len(sealed), CHUNK + TAG)))
        kept = min(max(size - index * 128 * CHUNK, 0), len(plain))
        require(not any(plain[kept:]), "content_padding")
        return plain[:kept]

    def _chunk(self, number, sealed, key):
        last = number == math.ceil(self.padded / CHUNK) - 1
        try:
            return open_chunk(key, number, last, sealed)
        except Refused:
            raise Refused("content_unopenable") from None

def open_chunk(key, number, last, sealed):
    """STREAM; a chunk is never empty."""
    require(len(sealed) > TAG, "unopenable")
    try:
        return ChaCha20Poly1305(key).decrypt(number.to_bytes(11, "big") + bytes([last]), sealed, b"")
    except InvalidTag:
        raise Refused("unopenable") from None


def control_free(name):
    return not any(unicodedata.category(character) == "Cc" for character in name)
