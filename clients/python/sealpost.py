#!/usr/bin/env python3
"""A Sealpost client for recipients: lists, verifies and downloads what was shared with an account.

Written from docs/protocol.md alone; § names its sections. Nothing that a server answers is shown,
kept or acted on before it is verified. Ids stay hex and blobs base64url, as records have them.
"""
import argparse, base64, contextlib, copy, fcntl, hashlib, hmac, http.client, json, os, re, secrets
import sys, tempfile, time, unicodedata, urllib.parse
from types import SimpleNamespace

import blake3, mnemonic
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as xchacha20poly1305_decrypt
from nacl.exceptions import CryptoError

OPS, LEFT, COMPROMISED, NOBODY, NONE = 2, 1, 2, "00" * 16, "00" * 32
CHUNK, SEALED_CHUNK, PART, MAX_SIZE, MAX_ANSWER = 65_536, 65_552, 128 * 65_552, 1 << 39, 64 << 20
HPKE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
SIZES = {"id16": 16, "id32": 32, "key32": 32, "key1216": 1216, "sig64": 64}
FORMS = {name: form for form, names in {  # §4.5: a name has one form wherever it stands
    "id16": "user_id signer file_id sender recipient replaces",
    "id32": "org_id signer_bundle previous subject nonce bundle offer log_head digest metadata "
    "manifest commitment share sealed sender_bundle recipient_bundle pair_previous opaque_record "
    "envelope",
    "int": "suite generation sequence last_valid_size log_size time version length pair_sequence "
    "expiry limit size modified epoch",
    "bool": "account_key", "choice": "role reason",
    "key32": "signing_key checkpoint_key", "key1216": "kem_key",
    "sig64": "log_sig", "bytes": "context", "text": "name media_type note",
}.items() for name in names.split()}
AUTHOR, POSITION = "org_id signer signer_bundle ", " log_size log_head log_sig"
FIELDS = {kind: text.split() for kind, text in {
    "genesis": "user_id subject signing_key kem_key suite generation nonce name checkpoint_key",
    "bundle": "org_id user_id signing_key kem_key suite generation",
    "certify": AUTHOR + "sequence previous user_id subject role bundle generation offer replaces",
    "rotate": AUTHOR + "sequence previous bundle generation",
    "revoke": AUTHOR + "sequence previous user_id last_valid_size reason",
    "service": AUTHOR + "sequence previous checkpoint_key",
    "checkpoint": "org_id log_size log_head",
    "credential": AUTHOR + "generation epoch account_key nonce opaque_record envelope previous",
    "login": AUTHOR + "nonce time",
    "manifest": AUTHOR + "file_id version length digest metadata commitment previous time"
    + POSITION,
    "share": AUTHOR + "context sealed",
    "context": "file_id version manifest commitment sender sender_bundle recipient "
    "recipient_bundle pair_sequence pair_previous expiry limit time" + POSITION,
    "unshare": AUTHOR + "file_id recipient share pair_sequence pair_previous time" + POSITION,
    "receipt": AUTHOR + "share manifest time" + POSITION,
    "metadata": "name media_type size modified note",
}.items()}
P, D = 2**255 - 19, -121665 * pow(121666, -1, 2**255 - 19)
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = (0, 1, P - 1, ORDER_8, P - ORDER_8)


class Failure(Exception):
    """A stable code, of §10 or the server's, and the exit code that it ends in."""

    def __init__(self, code, status=7):
        super().__init__(code)
        self.code, self.status = code, status


def require(**rules):
    """Fails with the name of the first rule that does not hold."""
    for code, holds in rules.items():
        if not holds:
            raise Failure(code)


def label(name): return f"sealpost/v1/{name}\0".encode()
def sha256(*pieces): return hashlib.sha256(b"".join(pieces)).hexdigest()
def b64(raw): return base64.urlsafe_b64encode(raw).decode().rstrip("=")
def expand(prk, info): return hmac.digest(prk, info + b"\x01", "sha256")  # HKDF to one block


def attempt(error, function, *arguments):
    """What a library's function gives; all its reasons to refuse become one."""
    try:
        return function(*arguments)
    except (InvalidTag, InvalidSignature, CryptoError, ValueError, TypeError):
        raise Failure(error) from None


def unseal(error, key, aad, sealed):
    """XChaCha20-Poly1305 as §2 lays it out."""
    return attempt(error, xchacha20poly1305_decrypt, sealed[24:], aad, sealed[:24], key)


def unb64(text):
    """Unpadded base64url, and no other way to write the same bytes."""
    require(malformed=isinstance(text, str) and len(text) % 4 != 1 and text.isascii())
    raw = base64.urlsafe_b64decode(text + "==")
    require(malformed=b64(raw) == text)
    return raw


def well_formed(form, value):
    if form in ("int", "bool"):
        return type(value).__name__ == form and 0 <= value < 1 << 53
    if form == "choice":
        return type(value) is int and value in (1, 2)
    if form.startswith("id"):
        return re.fullmatch("[0-9a-f]{%d}" % (2 * SIZES[form]), value)
    raw = unb64(value)
    return len(raw) == SIZES.get(form, len(raw)) and (form != "text" or raw.decode() is not None)


def encode(kind, fields):
    values = {name: fields[name] for name in FIELDS[kind]}
    return json.dumps(values, separators=(",", ":")).encode()


def parse(kind, payload, error="malformed"):
    """The fields of a payload, if it has them in the one encoding of §4.2."""
    try:
        fields = json.loads(payload)
        good = encode(kind, fields) == payload
        good = good and all(well_formed(FORMS[name], value) for name, value in fields.items())
    except (Failure, ValueError, KeyError, TypeError, RecursionError):
        good = False
    require(**{error: good})
    return SimpleNamespace(**fields)


def open_record(wire, kind, key=None):
    """§4.1. Without `key` nothing is verified: that is to find the key that must verify it."""
    require(malformed=isinstance(wire, dict) and len(wire) == 3)
    require(wrong_type=wire.get("type") == kind)
    payload, signature = unb64(wire.get("payload")), unb64(wire.get("signature"))
    require(malformed=len(payload) <= 8192 and len(signature) == 64)
    signed = label(kind) + payload
    if key is not None:
        verify(key, signature, signed)
    fields = vars(parse(kind, payload))
    return SimpleNamespace(**fields, id=sha256(signed), signed=signed, signature=signature)


def make_record(kind, key, **fields):
    payload = encode(kind, fields)
    signature = key.sign(label(kind) + payload)
    return {"type": kind, "payload": b64(payload), "signature": b64(signature)}


def strict_point(encoded):
    """Whether this canonically encodes a point of no small order (§2.1)."""
    y = int.from_bytes(encoded, "little") & (1 << 255) - 1
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P)
    return y < P and y not in SMALL_ORDER and pow(x_squared, (P - 1) // 2, P) == 1


def verify(key, signature, signed):
    """§2.1. OpenSSL refuses S ≥ L, and compares R as bytes: no cofactor, no other encoding."""
    require(signature_invalid=strict_point(key) and strict_point(signature[:32]))
    public_key = ed25519.Ed25519PublicKey.from_public_bytes(key)
    attempt("signature_invalid", public_key.verify, signature, signed)


def check_kem_key(key):
    """§2.2. Loading one half checks the modulus; the exchange with the other fails on zeros."""
    attempt("kem_key_invalid", mlkem.MLKEM768PublicKey.from_public_bytes, key[:1184])
    half = x25519.X25519PublicKey.from_public_bytes(key[1184:])
    attempt("kem_key_invalid", x25519.X25519PrivateKey.generate().exchange, half)


def kem_key_pair(seed):
    """§2.2"""
    expanded = hashlib.shake_256(seed).digest(96)
    halves = (mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
              x25519.X25519PrivateKey.from_private_bytes(expanded[64:]))
    public = b"".join(half.public_key().public_bytes_raw() for half in halves)
    return hpke.MLKEM768X25519PrivateKey(*halves), public


def unwrap(private_key, wrapped, info):
    return attempt("file_key_unopenable", HPKE.decrypt, wrapped, private_key, info)


class AccountKeys:
    """§3.1"""

    def __init__(self, seed):
        prk = hmac.digest(label("account")[:-1], seed, "sha256")
        self.signing = ed25519.Ed25519PrivateKey.from_private_bytes(expand(prk, label("signing")))
        self.vault = expand(prk, label("vault"))
        self.kem, kem_public = kem_key_pair(expand(prk, label("kem")))
        self.kem_public = b64(kem_public)
        self.signing_public = b64(self.signing.public_key().public_bytes_raw())


def self_signed(wire, kind, named=None):
    """A genesis or a bundle: signed by the key inside it."""
    record = open_record(wire, kind)
    key = unb64(record.signing_key)
    require(bundle_mismatch=named in (None, record.id), unsupported_suite=record.suite == 1,
            signing_key_invalid=strict_point(key))
    verify(key, record.signature, record.signed)
    return record


def open_bundle(wire, named=None):
    """§4.6; nothing names the founder's."""
    bundle = self_signed(wire, "bundle", named)
    require(bundle_generation=bundle.generation >= 1)
    check_kem_key(unb64(bundle.kem_key))
    return bundle


def control_characters(text): return [c for c in text if unicodedata.category(c) == "Cc"]


class Log:
    """The organisation's log (§5), as far as it was verified."""

    def __init__(self, org_id):
        self.org_id, self.ids, self.people, self.checkpoint_keys = org_id, [], {}, []

    def apply(self, entry, bundle):
        """Adds the next entry, or fails and leaves everything as it was."""
        kind, size = entry["type"], len(self.ids)
        if size == 0:
            return self.found(entry, bundle)
        require(log_not_an_entry=kind in ("certify", "rotate", "revoke", "service"))
        record = self.author(entry, kind)
        signer, introduces = record.person, kind in ("certify", "rotate")
        require(log_sequence=record.sequence == size, log_previous=record.previous == self.ids[-1],
                log_signer_ended=not signer.end, log_signer_rotated=record.keys is signer.keys[-1],
                log_signer_not_ops=kind == "rotate" or signer.role == OPS,
                log_bundle_missing=bundle or not introduces,
                log_bundle_unexpected=introduces or not bundle)
        user = record.signer if kind == "rotate" else vars(record).get("user_id")
        person, old = self.people.get(user), signer.keys[-1]
        ops = {user for user, one in self.people.items() if one.role == OPS and not one.end}
        if introduces:
            new = open_bundle(bundle, record.bundle)
            require(log_bundle_foreign=(new.org_id, new.user_id) == (self.org_id, user))
        if kind == "certify":
            replaced = self.people.get(record.replaces)
            require(already_certified=not person,
                    log_replaces=record.replaces == NOBODY or replaced and not replaced.end,
                    log_no_ops_left=record.role == OPS or ops - {record.replaces},
                    log_generation=record.generation == new.generation == 1)
            self.admit(user, record, record.role, new)
            if replaced:
                self.end(replaced, LEFT, size)
        elif kind == "rotate":
            require(log_generation=record.generation == new.generation == old.generation + 1,
                    log_keys_kept=new.signing_key != old.signing_key and new.kem_key != old.kem_key)
            old.until, new.since, new.until = size, size + 1, None
            signer.keys.append(new)
        elif kind == "revoke":
            require(log_not_a_member=person)
            worse = person.end and person.end[0] == LEFT and record.reason == COMPROMISED
            require(log_already_ended=not person.end or worse, log_no_ops_left=ops - {user},
                    log_last_valid_size=record.last_valid_size <= size)
            self.end(person, record.reason, record.last_valid_size)
        else:
            require(checkpoint_key_invalid=strict_point(unb64(record.checkpoint_key)))
            self.checkpoint_keys.append((size + 1, unb64(record.checkpoint_key)))
        self.ids.append(record.id)

    def found(self, entry, bundle):
        record = self_signed(entry, "genesis")
        name, checkpoint_key = unb64(record.name), unb64(record.checkpoint_key)
        require(genesis_generation=record.generation == 1,
                checkpoint_key_invalid=strict_point(checkpoint_key),
                organisation_name=0 < len(name) <= 256 and not control_characters(name.decode()),
                foreign_organisation=self.org_id in (None, record.id))
        keys, same = open_bundle(bundle), ("user_id", "signing_key", "kem_key", "generation")
        require(genesis_bundle=keys.org_id == record.id
                and all(getattr(keys, name) == getattr(record, name) for name in same))
        self.org_id, self.checkpoint_keys = record.id, [(1, checkpoint_key)]
        self.admit(record.user_id, record, OPS, keys)
        self.ids.append(record.id)

    def admit(self, user_id, record, role, keys):
        keys.since, keys.until = len(self.ids) + 1, None
        self.people[user_id] = SimpleNamespace(
            user_id=user_id, subject=record.subject, role=role, keys=[keys], end=None)

    def end(self, person, reason, last_valid_size):
        person.end = (reason, last_valid_size)
        person.keys[-1].until = person.keys[-1].until or len(self.ids)

    def author(self, wire, kind):
        """A record whose author verifies (§4.3), with its `person` and `keys`."""
        record = self.find_author(open_record(wire, kind))
        verify(unb64(record.keys.signing_key), record.signature, record.signed)
        if kind == "share":
            vars(record).update(vars(parse("context", unb64(record.context))))
        return record

    def find_author(self, record):
        require(foreign_organisation=record.org_id == self.org_id,
                signer_unknown=record.signer in self.people)
        record.person = self.people[record.signer]
        keys = [keys for keys in record.person.keys if keys.id == record.signer_bundle]
        require(signer_bundle_unknown=keys)
        record.keys = keys[0]
        return record

    def check_position(self, size, head, signature):
        """§5.3"""
        keys = [key for since, key in self.checkpoint_keys if since <= size]
        fields = {"org_id": self.org_id, "log_size": size, "log_head": head}
        signed, known = label("checkpoint") + encode("checkpoint", fields), size <= len(self.ids)
        try:
            require(signature_invalid=keys)
            verify(keys[-1], signature, signed)
        except Failure:
            raise Failure("position_malformed" if known else "position_unproven") from None
        require(log_behind=known)
        require(log_fork=self.ids[size - 1] == head)

    def check_checkpoint(self, wire):
        """§5.2: the server's newest checkpoint covers exactly this log."""
        record = open_record(wire, "checkpoint")
        require(foreign_organisation=record.org_id == self.org_id,
                log_incomplete=record.log_size <= len(self.ids))
        self.check_position(record.log_size, record.log_head, record.signature)
        require(log_rollback=record.log_size == len(self.ids))

    def check_place(self, record, ops_only=True):
        """What of §5.4 never changes: the role, and keys that were current at the position."""
        require(signer_not_ops=record.person.role == OPS or not ops_only)
        self.check_position(record.log_size, record.log_head, unb64(record.log_sig))
        until = record.keys.until or record.log_size
        require(signer_not_current=record.keys.since <= record.log_size <= until)

    def stands(self, record):
        """Whether the signature counts by itself today (§5.4): as "current", as "left", or not."""
        end = record.person.end
        if record.keys is not record.person.keys[-1] or end and end[0] == COMPROMISED:
            return None
        return "current" if not end else "left" if record.log_size <= end[1] else None

    def standing(self, record, seen):
        worth = self.stands(record) or seen and "retired"
        compromised = record.person.end and record.person.end[0] == COMPROMISED
        require(signer_compromised=worth or not compromised,
                signer_rotated=worth or record.keys is record.person.keys[-1], signer_left=worth)
        return worth


class Pair:
    """One sender's shares and unshares to this account, in order (§7.5)."""

    def __init__(self, sender, recipient):
        self.people, self.records, self.live = (sender, recipient), [], {}

    def add(self, log, wire):
        kind, known = wire["type"], len(self.records)
        require(pair_wrong_type=kind in ("share", "unshare"))
        record = log.author(wire, kind)
        require(share_context_sender=kind == "unshare" or context_sender(record))
        log.check_place(record)
        place, head = record.pair_sequence, self.records[-1].id if known else NONE
        require(pair_other=(record.signer, record.recipient) == self.people,
                share_pair_place=possible_place(record), pair_gap=place <= known + 1)
        if place <= known:
            require(pair_conflict=self.records[place - 1].id == record.id,
                    pair_behind=place == known)
            return
        require(pair_conflict=record.pair_previous == head)
        if kind == "share":
            self.live[record.file_id] = record.id
        else:
            require(unshare_not_live=self.live.pop(record.file_id, None) == record.share)
        self.records.append(record)


def possible_place(record):
    first = record.pair_previous == NONE
    return record.pair_sequence > 0 and first == (record.pair_sequence == 1)


def context_sender(record):
    return (record.sender, record.sender_bundle) == (record.signer, record.signer_bundle)


def check_manifest(log, manifest, seen):
    """§7.3, and that its signature counts."""
    first = manifest.previous == NONE
    require(manifest_version=manifest.version > 0 and first == (manifest.version == 1))
    part_sizes(manifest.length, "manifest_length", "manifest_length")
    log.check_place(manifest)
    return log.standing(manifest, seen)


def check_share(log, me, share, manifest, seen):
    """Steps 3 and 4 of §8; `seen` tells of a verified record whether (b) of §5.4 holds for it."""
    sealed = unb64(share["enc"]), unb64(share["ciphertext"])
    require(malformed=(len(sealed[0]), len(sealed[1])) == (1120, 48))
    record = log.author(share["record"], "share")
    require(share_not_recipient=record.recipient == me.user_id,
            share_context_sender=context_sender(record),
            share_not_owner=record.signer == manifest.signer,
            share_recipient_bundle=record.recipient_bundle in [keys.id for keys in me.keys])
    log.check_place(record)
    record.standing = log.standing(record, seen(record))
    require(share_manifest_mismatch=(record.file_id, record.version, record.manifest)
            == (manifest.file_id, manifest.version, manifest.id),
            share_commitment_mismatch=record.commitment == manifest.commitment,
            share_pair_place=possible_place(record),
            share_sealed_mismatch=record.sealed == sha256(*sealed))
    check_manifest(log, manifest, True)
    record.wrapped = b"".join(sealed)
    return record


def open_share(keys, bundle_id, share):
    """Steps 6 and 7: content key and metadata key, and the place that they are bound to."""
    require(share_other_generation=share.recipient_bundle == bundle_id)
    info = label("share-info") + hashlib.sha256(unb64(share.context)).digest()
    file_key = unwrap(keys.kem, share.wrapped, info)
    content, metadata, commitment, place = file_keys(file_key, share.org_id, share)
    require(commitment_mismatch=hmac.compare_digest(commitment.hex(), share.commitment))
    return content, metadata, place


def file_keys(file_key, org_id, file):
    place = bytes.fromhex(org_id + file.file_id) + file.version.to_bytes(8, "big")
    prk = hmac.digest(label("file")[:-1], file_key, "sha256")
    uses = "content", "metadata", "commitment"
    return *(expand(prk, label(use) + place) for use in uses), place


def padme(length):
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    return -(-length >> low_bits) << low_bits


def sealed_length(size):
    """§7.1: how long a file of `size` bytes is when padded and sealed."""
    require(size_too_large=size <= MAX_SIZE)
    padded = padme(max(size, 4096))
    return padded + 16 * -(-padded // CHUNK)


def part_sizes(length, impossible="size_impossible", too_large="size_too_large"):
    require(**{too_large: length <= sealed_length(MAX_SIZE)})
    padded = length - 16 * -(-length // SEALED_CHUNK)
    require(**{impossible: padded >= 4096 and sealed_length(padded) == length})
    return [min(PART, length - start) for start in range(0, length, PART)]


def check_part_list(digests, length, digest):
    """The sizes of the parts whose digests were signed (§7.1)."""
    sizes = part_sizes(length)
    require(part_count=len(digests) == len(sizes))
    signed = label("parts") + length.to_bytes(8, "big") + b"".join(digests)
    require(part_list_mismatch=blake3.blake3(signed).hexdigest() == digest)
    return sizes


def open_chunk(key, number, last, sealed):
    nonce = number.to_bytes(11, "big") + bytes([last])
    return attempt("content_unopenable", ChaCha20Poly1305(key).decrypt, nonce, sealed, None)


def open_part(key, digests, sizes, index, part):
    """The chunks of a part, once the whole part is the one that was signed (§7.1)."""
    require(part_length=index < len(sizes) and len(part) == sizes[index])
    require(part_mismatch=blake3.blake3(part).digest() == digests[index])
    for start in range(0, len(part), SEALED_CHUNK):
        last = index == len(sizes) - 1 and start + SEALED_CHUNK >= len(part)
        number = (index * PART + start) // SEALED_CHUNK
        yield open_chunk(key, number, last, part[start:start + SEALED_CHUNK])


def without_padding(chunks, size):
    for chunk in chunks:
        require(content_padding=not any(chunk[size:]))
        yield chunk[:size]
        size -= min(size, len(chunk))


def open_metadata(key, place, sealed, manifest):
    """§7.2"""
    require(metadata_too_long=len(sealed) <= 16_384,
            metadata_mismatch=sha256(sealed) == manifest.metadata)
    plain = unseal("metadata_unopenable", key, label("metadata") + place, sealed)
    end = 2 + int.from_bytes(plain[:2], "big")
    require(metadata_malformed=len(plain) == -(-end // 512) * 512 and not any(plain[end:]))
    fields = parse("metadata", plain[2:end], "metadata_malformed")
    require(metadata_size=fields.size <= MAX_SIZE
            and sealed_length(fields.size) == manifest.length)
    return fields


def check_opening(opening, subject):
    """§4.4"""
    texts = [opening[text].encode() for text in ("email", "name")]
    require(name_too_long=len(texts[1]) <= 256)
    sized = b"".join(len(text).to_bytes(2, "big") + text for text in texts)
    opened = sha256(label("subject"), bytes.fromhex(opening["salt"] + opening["user_id"]), sized)
    require(opening_mismatch=opened == subject)


def open_vault(key, place, sealed):
    """§3.5; `place` is org_id, user_id and version."""
    plain = unseal("vault_unopenable", key, label("vault") + place, sealed)
    end = 4 + int.from_bytes(plain[:4], "big")
    require(vault_unopenable=len(plain) == padme(max(end, 4096)) and not any(plain[end:]))
    vault = json.loads(plain[4:end])
    require(vault_unopenable=vault["version"] == int.from_bytes(place[-8:], "big"))
    return vault


def read_kit(path):
    """Seed and org_id of a recovery kit (§3.6), as JSON: what `sealpost join --json` prints."""
    with open(path) as file:
        kit = json.load(file)
    kit = kit.get("recovery_kit", kit)
    return read_words(kit["words"]), read_code(kit["organisation"], 32).hex()


def read_words(text):
    words, bip39 = re.findall("[a-z]+", text.lower()), mnemonic.Mnemonic("english")
    require(kit_word_count=len(words) == 24, kit_word_unknown=set(words) <= set(bip39.wordlist),
            kit_word_checksum=bip39.check(" ".join(words)))
    return bytes(bip39.to_entropy(words))


def read_code(text, size):
    """Crockford base32 of `size` bytes and their checksum: §3.6, §6.1."""
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    text = text.upper().translate(str.maketrans("OIL", "011", "- "))
    spare = len(text) * 5 - (size + 3) * 8
    require(kit_code_mistyped=0 <= spare < 5 and set(text) <= set(digits))
    number = sum(digits.index(digit) << 5 * n for n, digit in enumerate(reversed(text)))
    require(kit_code_mistyped=number % (1 << spare) == 0)
    raw = (number >> spare).to_bytes(size + 3, "big")
    require(kit_code_checksum=sha256(label("kit"), raw[:-3])[:6] == raw[-3:].hex())
    return raw[:-3]


def safe_name(name, instead):
    """A name that no disk and no terminal takes for anything else."""
    strange = [c for c in name if c in '/\\:*?"<>|' or unicodedata.category(c)[0] in "CZ"]
    for character in set(strange) - {" "}:
        name = name.replace(character, "_")
    name = name.encode()[:200].decode(errors="ignore")
    return name.lstrip(" .-").rstrip(" .") or instead


def network(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, http.client.HTTPException):
        raise Failure("no_connection", 6) from None


def read_whole(answer, size):
    part = network(answer.read, size)
    if len(part) < size:
        raise Failure("no_connection", 6)
    return part


class Client:
    """One account at one server, and what this device has pinned about both."""

    def __init__(self, server, home, kit):
        self.server, self.token, self.renew_at = urllib.parse.urlsplit(server), None, 0
        local = self.server.hostname in ("127.0.0.1", "::1", "localhost")
        if not (self.server.scheme == "https" or self.server.scheme == "http" and local):
            raise Failure("https_required", 2)
        seed, self.org_id = read_kit(kit)
        self.keys, self.log, self.pairs = AccountKeys(seed), Log(self.org_id), {}
        os.makedirs(home, 0o700, exist_ok=True)
        self.path = os.path.join(home, "state.json")
        self.lock = open(os.path.join(home, "lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.state = {"log": [], "credentials": {}, "pairs": {}, "files": {}, "downloads": {}}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.state = json.load(file)
        for entry in self.state["log"]:
            self.log.apply(entry["record"], entry.get("bundle"))
        require(log_fork="fork" not in self.state)

    def save(self):
        write_whole(self.path, lambda file: file.write(json.dumps(self.state).encode()), os.replace)

    def request(self, method, path, body=None, **headers):
        """An answer that is still to be read, and the connection that it comes over."""
        if self.token and time.monotonic() > self.renew_at:
            self.sign_in()
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        https = self.server.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = kind(self.server.netloc, timeout=60)
        headers = {"Content-Type": "application/json", **headers}
        body = body and json.dumps(body)
        network(connection.request, method, self.server.path.rstrip("/") + path, body, headers)
        answer = network(connection.getresponse)
        if answer.status >= 300:
            status = {401: 3, 403: 5, 404: 4, 410: 4}.get(answer.status, 6)
            try:
                code = json.loads(network(answer.read, 65_536))["code"]
            except (ValueError, KeyError, TypeError):
                code = f"http_{answer.status}"
            raise Failure(ascii(code)[1:-1], status)
        return answer, connection

    def ask(self, method, path, body=None, **headers):
        answer, connection = self.request(method, path, body, **headers)
        text = network(answer.read, MAX_ANSWER)
        connection.close()
        return json.loads(text) if text else None

    def items(self, path):
        cursor = ""
        while cursor is not None:
            page = self.ask("GET", f"{path}?limit=100{cursor}")
            yield from page["items"]
            after = page.get("next_cursor")
            cursor = after and "&cursor=" + urllib.parse.quote(after)

    def sign_in(self):
        """§9, with the account's key."""
        self.token = None
        key = {"signing_key": self.keys.signing_public}
        challenge = self.ask("POST", "/auth/key/challenge", key)
        require(foreign_organisation=challenge["org_id"] == self.org_id)
        self.user_id, generation = challenge["user_id"], challenge["generation"]
        require(other_account=self.state.get("user_id", self.user_id) == self.user_id)
        bundle = dict(key, org_id=self.org_id, user_id=self.user_id, suite=1, generation=generation,
                      kem_key=self.keys.kem_public)
        bundle = make_record("bundle", self.keys.signing, **bundle)
        self.bundle_id = open_record(bundle, "bundle").id
        login = self.sign("login", nonce=challenge["nonce"], time=int(time.time()))
        answer = self.ask("POST", "/auth/key", {"login": login})
        require(other_account=answer["account"]["user_id"] == self.user_id)
        self.token = answer["tokens"]["access_token"]
        self.renew_at = time.monotonic() + answer["tokens"]["access_expires_in"] / 2
        self.check_credential(answer["account"], generation)

    def sign_out(self):
        if self.token:
            self.ask("POST", "/auth/logout")

    def check_credential(self, account, generation):
        """§3.4"""
        signing_public = unb64(self.keys.signing_public)
        record = open_record(account["credential"], "credential", signing_public)
        stated = record.epoch.to_bytes(8, "big") + bytes([record.account_key])
        envelope, me = unb64(account["envelope"]), (self.org_id, self.user_id, self.bundle_id)
        require(credential_signer=(record.org_id, record.signer, record.signer_bundle,
                                   record.generation) == (*me, generation),
                credential_epoch=record.epoch > 0,
                credential_previous=(record.epoch == 1) == (record.previous == NONE),
                credential_envelope=len(envelope) == 193 and sha256(envelope) == record.envelope,
                credential_account_key=envelope[32:41] == stated)
        self.credential = {"sequence": record.epoch, "head": record.id}
        self.check_credential_pin(self.state["credentials"].get(self.user_id))
        self.state["credentials"][self.user_id] = self.credential

    def check_credential_pin(self, pin):
        epoch, known = self.credential["sequence"], pin["sequence"] if pin else 0
        require(credential_rollback=epoch >= known,
                credential_conflict=epoch > known or self.credential == pin)

    def sign(self, kind, **fields):
        author = dict(org_id=self.org_id, signer=self.user_id, signer_bundle=self.bundle_id)
        return make_record(kind, self.keys.signing, **author, **fields)

    def sync(self):
        """§5.2. What does not verify up to the checkpoint changes nothing."""
        log, new, more = copy.deepcopy(self.log), [], True
        while more:
            page = self.ask("GET", f"/log?from={len(log.ids)}&limit=1000")
            for entry in page["entries"]:
                log.apply(entry["record"], entry.get("bundle"))
                new.append({"record": entry["record"], "bundle": entry.get("bundle")})
            promised = open_record(page["checkpoint"], "checkpoint").log_size
            more = page["entries"] and len(log.ids) < promised
        try:
            log.check_checkpoint(page["checkpoint"])
        except Failure as failure:
            self.block_on_fork(failure, page["checkpoint"])
            raise
        self.log, self.state["checkpoint"] = log, page["checkpoint"]
        self.state["log"] += new
        self.save()

    def block_on_fork(self, failure, evidence):
        """§5.3: nothing goes on after two histories, and both signed states are kept."""
        if failure.code == "log_fork":
            self.state["fork"] = evidence
            self.save()

    def enter(self):
        """Signs in, syncs, and finds itself in the log and the vault's pin too (§9)."""
        self.sign_in()
        answer = self.ask("GET", "/account/vault")
        place = bytes.fromhex(self.org_id + self.user_id) + answer["version"].to_bytes(8, "big")
        sealed = unb64(answer["blob"])
        vault, pin = open_vault(self.keys.vault, place, sealed), {"hash": sha256(sealed)}
        pin["version"] = vault["version"]
        step = pin["version"] - self.state.setdefault("vault", pin)["version"]
        require(vault_rollback=step > 1 or step == 0 and pin == self.state["vault"]
                or step == 1 and vault["previous"] == self.state["vault"]["hash"])
        self.state["vault"] = pin
        self.sync()
        self.me = self.log.people.get(self.user_id)
        require(account_pending=self.me)
        require(admission_bundle=self.me.keys[-1].id == self.bundle_id)
        self.state["user_id"], pins = self.user_id, vault["pins"]
        size, head = pins["log"]["size"], pins["log"]["head"]
        require(log_rollback=not size or self.log.ids[size - 1:size] == [head])
        self.check_credential_pin(pins["credential"])
        for name, pin in pins["pairs"].items():
            mine = self.state["pairs"].setdefault(name, pin)
            ahead = pin["sequence"] - mine["sequence"]
            require(vault_conflict_pair=ahead or pin["head"] == mine["head"])
            counted = mine.get("counted", 0)  # by this device: another's pin only shows rollback
            self.state["pairs"][name] = {**(pin if ahead > 0 else mine), "counted": counted}

    def history(self, sender, place):
        """The pair's records as far as the server has them, no fewer than are pinned (§7.5)."""
        pair, pin = self.pairs.setdefault(sender, Pair(sender, self.user_id)), self.pair_pin(sender)
        more = len(pair.records) < place
        while more:
            query = f"direction=received&after={len(pair.records)}&limit=100"
            page = self.ask("GET", f"/pairs/{sender}?{query}")
            for record in page["records"]:
                pair.add(self.log, record)
            more = page["records"] and len(pair.records) < page["newest"]
        known = pin["sequence"]
        require(pair_rollback=len(pair.records) >= known,
                pair_conflict=not known or pair.records[known - 1].id == pin["head"])
        return pair

    def pair_pin(self, sender):
        return self.state["pairs"].get(f"{sender}:{self.user_id}", {"sequence": 0})

    def counted(self, sender, pair):
        """Up to which place (b) of §5.4 holds: it was seen to count, or one after it counts."""
        places = [n + 1 for n, record in enumerate(pair.records) if self.log.stands(record)]
        return max([self.pair_pin(sender).get("counted", 0), *places])

    def opened(self, file, file_id):
        """Steps 1 to 8 of §8, once more after a sync if the sender knew a newer log."""
        try:
            return self.open(file, file_id)
        except Failure as failure:
            self.block_on_fork(failure, file)
            if failure.code not in ("log_behind", "position_unproven"):
                raise
        self.sync()
        self.me = self.log.people[self.user_id]
        self.pairs.clear()
        return self.open(file, file_id)

    def open(self, file, file_id):
        def seen(share):
            pair = self.history(share.signer, share.pair_sequence)
            return share.pair_sequence <= self.counted(share.signer, pair)

        manifest = self.log.author(file["manifest"], "manifest")
        require(other_file=(manifest.file_id, manifest.version) == (file_id, file["version"]))
        share = check_share(self.log, self.me, file["share"], manifest, seen)
        self.check_version(manifest)
        pair = self.history(share.signer, share.pair_sequence)
        require(share_not_in_force=pair.live.get(file_id) == share.id)
        content_key, metadata_key, place = open_share(self.keys, self.bundle_id, share)
        metadata = open_metadata(metadata_key, place, unb64(file["metadata"]), manifest)
        self.state["pairs"][f"{share.signer}:{self.user_id}"] = {
            "sequence": len(pair.records), "head": pair.records[-1].id,
            "counted": self.counted(share.signer, pair)}
        pin = {"version": manifest.version, "head": manifest.id, "owner": manifest.signer}
        self.state["files"][file_id] = pin
        self.save()
        return manifest, share, content_key, metadata

    def check_version(self, manifest):
        """§7.3, against what is pinned."""
        pin = self.state["files"].get(manifest.file_id)
        if pin:
            step, follows = manifest.version - pin["version"], manifest.previous == pin["head"]
            require(version_rollback=step >= 0, version_conflict=step or manifest.id == pin["head"],
                    version_chain=not step or step == 1 and follows,
                    manifest_previous=manifest.signer == pin["owner"])

    def senders(self):
        """Verified addresses by user_id."""
        found = {}
        for opening in (member["opening"] for member in self.items("/members")):
            require(opening_unknown=opening["user_id"] in self.log.people)
            check_opening(opening, self.log.people[opening["user_id"]].subject)
            found[opening["user_id"]] = opening["email"]
        return found

    def listed(self, file, senders):
        manifest, share, _, metadata = self.opened(file, file["file_id"])
        text = {name: unb64(getattr(metadata, name)).decode() for name in ("name", "note")}
        return {"file_id": manifest.file_id, **text, "size": metadata.size, "time": share.time,
                "expiry": share.expiry, "sender": share.signer, "from": senders.get(share.signer),
                "standing": share.standing}

    def download(self, file_id, target, again=True):
        """Steps 9 to 12 of §8. Nothing stands at the final path before everything verified."""
        file = self.ask("GET", f"/files/{file_id}")
        manifest, share, content_key, metadata = self.opened(file, file_id)
        job = self.state["downloads"].setdefault(share.id, {})
        if job.get("done") and not again:
            return None
        if "ticket" in job and os.path.exists(job.get("path", "")):
            return self.send_receipt(file_id, job)  # the last run got no further
        if os.path.isdir(target):
            target = os.path.join(target, safe_name(unb64(metadata.name).decode(), file_id))
            if not again and os.path.lexists(target):
                target += "." + file_id
        if os.path.lexists(target):
            raise Failure("file_exists", 8)
        digests = self.part_list(manifest)
        sizes = check_part_list(digests, manifest.length, manifest.digest)
        job.setdefault("ticket", secrets.token_hex(16))
        self.save()

        def content(out):
            path = f"/files/{file_id}/download"
            answer, connection = self.request("GET", path, **{"sealpost-ticket": job["ticket"]})
            parts = (read_whole(answer, size) for size in sizes)
            chunks = (chunk for index, part in enumerate(parts)
                      for chunk in open_part(content_key, digests, sizes, index, part))
            for chunk in without_padding(chunks, metadata.size):
                out.write(chunk)
            connection.close()
            head, signature = self.log.ids[-1], self.state["checkpoint"]["signature"]
            job.setdefault("receipt", self.sign(
                "receipt", share=share.id, manifest=manifest.id, time=int(time.time()),
                log_size=len(self.log.ids), log_head=head, log_sig=signature))
            job.update(path=os.path.abspath(target), size=metadata.size)
            self.save()

        write_whole(target, content, move_new)
        return self.send_receipt(file_id, job)

    def send_receipt(self, file_id, job):
        self.ask("POST", f"/files/{file_id}/receipt", {"receipt": job["receipt"]},
                 **{"sealpost-ticket": job.pop("ticket")})
        job["done"] = True
        self.save()
        return {"file_id": file_id, "path": job["path"], "size": job["size"]}

    def part_list(self, manifest):
        path, digests = f"/files/{manifest.file_id}/versions/{manifest.version}/parts", b""
        while len(digests) < 32 * len(part_sizes(manifest.length)):
            page = unb64(self.ask("GET", f"{path}?from={len(digests) // 32}")["digests"])
            require(part_count=page)
            digests += page
        return [digests[start:start + 32] for start in range(0, len(digests), 32)]


def move_new(temporary, path):
    """Like a rename, but what stands at `path` is never replaced."""
    os.link(temporary, path)
    os.unlink(temporary)


def write_whole(path, write, place):
    """`path` appears with everything that `write` wrote, durably, or not at all."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=".sealpost-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(handle)
        place(temporary, path)
        temporary = None
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    finally:
        if temporary:
            os.unlink(temporary)


def each(files, act):
    """Acts on every file; one that fails is told and stops no other."""
    worst = 0
    for file in files:
        try:
            done = act(file)
            if done:
                print(json.dumps(done))
        except Failure as failure:
            tell(failure, ascii(file["file_id"]))
            worst = max(worst, failure.status)
    return worst


def tell(failure, of="failed"):
    where = " (docs/protocol.md §10 says what it means)" if failure.status == 7 else ""
    print(f"sealpost.py: {of}: {failure.code}{where}", file=sys.stderr)


def run(arguments):
    client = Client(arguments.server, arguments.home, arguments.kit)
    try:
        client.enter()
        if arguments.command == "download":
            print(json.dumps(client.download(arguments.file_id, arguments.o)))
            return 0
        shared = client.items("/files/shared")
        if arguments.command == "list":
            senders = client.senders()
            return each(shared, lambda file: client.listed(file, senders))
        return each(shared, lambda file: client.download(file["file_id"], arguments.folder, False))
    finally:
        with contextlib.suppress(Failure):  # what happened before is what counts
            client.sign_out()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("server", "home", "kit"):
        parser.add_argument(f"--{name}", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    download = commands.add_parser("download")
    download.add_argument("file_id")
    download.add_argument("-o", default=".", metavar="PATH")
    commands.add_parser("download-all").add_argument("folder")
    arguments = parser.parse_args()
    if not re.fullmatch("[0-9a-f]{32}", getattr(arguments, "file_id", NOBODY)):
        parser.error("a FILE_ID is 32 hex digits")
    try:
        return run(arguments)
    except Failure as failure:
        tell(failure)
        return failure.status
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"sealpost.py: {error}", file=sys.stderr)
        return 8
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        print(f"sealpost.py: no answer of a Sealpost server: {error!a}", file=sys.stderr)
        return 6


if __name__ == "__main__":
    sys.exit(main())
