"""docs/protocol.md as a recipient needs it: who said what, and whether it counts. Nothing here reads or writes.

§ names the specification's sections; a rule that is broken has its name of §10. Ids stay hex and blobs
base64url, as records have them. Integers are big-endian, which is Python's default since 3.11.
"""

import base64, hashlib, json, re, unicodedata
from types import SimpleNamespace as Fields

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from nacl.exceptions import CryptoError

OPS, LEFT, COMPROMISED, NOBODY, NONE = 2, 1, 2, "00" * 16, "00" * 32
CHUNK, SEALED_CHUNK, PART, MAX_SIZE = 65_536, 65_552, 128 * 65_552, 1 << 39
P, D = 2**255 - 19, -121665 * pow(121666, -1, 2**255 - 19)  # Ed25519 is -x² + y² = 1 + D x² y² modulo P
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826  # a y of points of order 8
GRAMMAR = {  # §4.2 as regular expressions for JSON, and the fields of each form: a name has one form everywhere
    '"[0-9a-f]{32}"': "user_id signer file_id sender recipient replaces",
    '"[0-9a-f]{64}"': "org_id signer_bundle previous subject nonce bundle offer log_head digest metadata share "
    "manifest commitment sealed sender_bundle recipient_bundle pair_previous opaque_record envelope",
    r"(?:0|[1-9]\d{0,15})": "suite generation sequence last_valid_size log_size time version length epoch "
    "pair_sequence expiry limit size modified",
    "(?:true|false)": "account_key",
    "[12]": "role reason",
    r'"[\w-]{42}[AEIMQUYcgkosw048]"': "signing_key checkpoint_key",  # 32 bytes, two bits left over
    r'"[\w-]{1621}[AQgw]"': "kem_key",  # 1216 bytes, four bits left over
    r'"[\w-]{85}[AQgw]"': "log_sig",
    r'"(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?"': "context name media_type note",
}
FORM = {name: form for form, names in GRAMMAR.items() for name in names.split()}
AUTHOR, POSITION = "org_id signer signer_bundle ", " log_size log_head log_sig"
FIELDS = {  # §4.5
    "genesis": "user_id subject signing_key kem_key suite generation nonce name checkpoint_key",
    "bundle": "org_id user_id signing_key kem_key suite generation",
    "certify": AUTHOR + "sequence previous user_id subject role bundle generation offer replaces",
    "rotate": AUTHOR + "sequence previous bundle generation",
    "revoke": AUTHOR + "sequence previous user_id last_valid_size reason",
    "service": AUTHOR + "sequence previous checkpoint_key",
    "checkpoint": "org_id" + POSITION.removesuffix(" log_sig"),
    "credential": AUTHOR + "generation epoch account_key nonce opaque_record envelope previous",
    "login": AUTHOR + "nonce time",
    "manifest": AUTHOR + "file_id version length digest metadata commitment previous time" + POSITION,
    "share": AUTHOR + "context sealed",
    "context": "file_id version manifest commitment sender sender_bundle recipient recipient_bundle "
    "pair_sequence pair_previous expiry limit time" + POSITION,
    "unshare": AUTHOR + "file_id recipient share pair_sequence pair_previous time" + POSITION,
    "receipt": AUTHOR + "share manifest time" + POSITION,
    "metadata": "name media_type size modified note",
}


class Failure(ValueError):
    """A stable code (§10), with what proves a fork, or with the HTTP status if the code is the server's."""

    def __init__(self, code, detail=None):
        super().__init__(code)
        self.code, self.detail = code, detail


def require(**rules):
    """Fails with the name of the first rule that does not hold. All conditions are computed first."""
    for code, holds in rules.items():
        if not holds:
            raise Failure(code)


def attempt(error, function, *arguments):
    """What a function gives; all its reasons to refuse become one."""
    try:
        return function(*arguments)
    except (ValueError, InvalidTag, InvalidSignature, CryptoError):
        raise Failure(error) from None


def label(name):
    return f"sealpost/v1/{name}\0".encode()


def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def b64(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text):
    """Unpadded base64url, and no other way to write the same bytes."""
    raw = attempt("malformed", base64.urlsafe_b64decode, f"{text}==")
    require(malformed=b64(raw) == text)
    return raw


def encode(kind, **fields):
    return json.dumps({name: fields[name] for name in FIELDS[kind].split()}, separators=(",", ":")).encode()


def parse(kind, payload):
    """The fields of a payload that is, byte for byte, their one encoding (§4.2)."""
    members = ",".join(f'"{name}":{FORM[name]}' for name in FIELDS[kind].split())
    require(malformed=re.fullmatch(rf"\{{{members}\}}".encode(), payload))
    fields = json.loads(payload)
    require(malformed=all(value < 1 << 53 for value in fields.values() if isinstance(value, int)))
    for name in {"name", "media_type", "note"} & fields.keys():
        attempt("malformed", unb64(fields[name]).decode)
    return fields


def open_record(wire, kind, key=None):
    """§4.1. Without `key` the signature is still to be verified, by a key that is found through the fields."""
    require(malformed=isinstance(wire, dict) and wire.keys() == {"type", "payload", "signature"})
    require(wrong_type=wire["type"] == kind)
    payload, signature = unb64(wire["payload"]), unb64(wire["signature"])
    require(malformed=len(payload) <= 8192 and len(signature) == 64)
    signed = label(kind) + payload
    if key:
        verify(key, signature, signed)
    return Fields(**parse(kind, payload), id=sha256(signed), signed=signed, signature=signature)


def strict_point(encoded):
    """Whether this is the canonical encoding of a point, and of none of small order (§2.1)."""
    y = int.from_bytes(encoded, "little") & (1 << 255) - 1
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P)  # 0 would be of small order, too
    return y < P and pow(x_squared, (P - 1) // 2, P) == 1 and y not in (0, ORDER_8, P - ORDER_8)


def verify(key, signature, signed):
    """§2.1. OpenSSL refuses S ≥ L, and compares R as bytes: no cofactor, no other encoding."""
    require(signature_invalid=strict_point(key) and strict_point(signature[:32]))
    attempt("signature_invalid", ed25519.Ed25519PublicKey.from_public_bytes(key).verify, signature, signed)


def check_kem_key(key):
    """§2.2. Loading one half checks the modulus; the exchange with the other fails on zeros."""
    attempt("kem_key_invalid", mlkem.MLKEM768PublicKey.from_public_bytes, key[:1184])
    half = x25519.X25519PublicKey.from_public_bytes(key[1184:])
    attempt("kem_key_invalid", x25519.X25519PrivateKey.generate().exchange, half)


def self_signed(wire, kind, named=None):
    """A genesis, or a bundle (§4.6): signed by the key inside it. Nothing names the founder's bundle."""
    record = open_record(wire, kind)
    key = unb64(record.signing_key)
    require(bundle_mismatch=named in (None, record.id), unsupported_suite=record.suite == 1)
    require(signing_key_invalid=strict_point(key))
    verify(key, record.signature, record.signed)
    if kind == "bundle":
        require(bundle_generation=record.generation >= 1)
        check_kem_key(unb64(record.kem_key))
    return record


def is_link(number, previous):
    """Whether places count from 1, and exactly the first has no previous one."""
    return number >= 1 and (number == 1) == (previous == NONE)


def in_force(history, size):
    """What a list of (size since when, value) has at a size of the log, or None before all of them."""
    return ([None] + [value for since, value in history if since <= size])[-1]


class Log:
    """The organisation's log (§5), as far as it was verified."""

    def __init__(self, org_id):
        self.org_id, self.ids, self.people, self.checkpoint_keys = org_id, [], {}, []

    def apply(self, entry, wire=None):
        """Adds the next entry (§5.1) with the bundle that it introduces, or fails and changes nothing."""
        kind, size = entry["type"], len(self.ids)
        if size == 0:
            return self.found(entry, wire)
        require(log_not_an_entry=kind in ("certify", "rotate", "revoke", "service"))
        record = self.author(entry, kind)
        signer, old, introduces = record.person, record.person.keys[-1], kind in ("certify", "rotate")
        require(log_sequence=record.sequence == size, log_previous=record.previous == self.ids[-1])
        require(log_signer_ended=not signer.ended, log_signer_rotated=record.keys is old)
        require(log_signer_not_ops=kind == "rotate" or signer.role == OPS)
        require(log_bundle_missing=wire or not introduces, log_bundle_unexpected=introduces or not wire)
        user = getattr(record, "user_id", record.signer)
        person = self.people.get(user)
        ops = {user for user, one in self.people.items() if one.role == OPS and not one.ended}
        if introduces:
            new = self_signed(wire, "bundle", record.bundle)
            require(log_bundle_foreign=(new.org_id, new.user_id) == (self.org_id, user))
        if kind == "certify":
            replaced = self.people.get(record.replaces)
            require(already_certified=not person)
            require(log_replaces=record.replaces == NOBODY or replaced and not replaced.ended)
            require(log_no_ops_left=record.role == OPS or ops - {record.replaces})
            require(log_generation=record.generation == new.generation == 1)
            self.admit(record, record.role, new)
            if replaced:
                self.end(replaced, LEFT, size)
        elif kind == "rotate":
            require(log_generation=record.generation == new.generation == old.generation + 1)
            require(log_keys_kept=new.signing_key != old.signing_key and new.kem_key != old.kem_key)
            signer.keys.append(new)
            signer.current.append((size + 1, new))
        elif kind == "revoke":
            require(log_not_a_member=person)
            worse = person.ended == LEFT and record.reason == COMPROMISED
            require(log_already_ended=not person.ended or worse)
            require(log_last_valid_size=record.last_valid_size <= size, log_no_ops_left=ops - {user})
            self.end(person, record.reason, record.last_valid_size)
        else:
            require(checkpoint_key_invalid=strict_point(unb64(record.checkpoint_key)))
            self.checkpoint_keys.append((size + 1, unb64(record.checkpoint_key)))
        self.ids.append(record.id)

    def found(self, entry, wire):
        record = self_signed(entry, "genesis")
        key, name = unb64(record.checkpoint_key), unb64(record.name)
        require(genesis_generation=record.generation == 1, checkpoint_key_invalid=strict_point(key))
        control = [character for character in name.decode() if unicodedata.category(character) == "Cc"]
        require(organisation_name=0 < len(name) <= 256 and not control)
        require(foreign_organisation=self.org_id in (None, record.id))
        bundle, same = self_signed(wire, "bundle"), ("user_id", "signing_key", "kem_key", "generation")
        agree = all(vars(bundle)[name] == vars(record)[name] for name in same)
        require(genesis_bundle=agree and bundle.org_id == record.id)
        self.org_id, self.checkpoint_keys = record.id, [(1, key)]
        self.admit(record, OPS, bundle)
        self.ids.append(record.id)

    def admit(self, record, role, bundle):
        person = Fields(user_id=record.user_id, subject=record.subject, role=role, ended=None)
        person.keys, person.current = [bundle], [(len(self.ids) + 1, bundle)]
        self.people[record.user_id] = person

    def end(self, person, reason, last_valid_size):
        person.ended, person.last_valid_size = reason, last_valid_size
        person.current.append((len(self.ids) + 1, None))

    def author(self, wire, kind):
        """A record whose author verifies (§4.3); a share comes with what its context says, of the sender too."""
        record = self.find_author(open_record(wire, kind))
        verify(unb64(record.keys.signing_key), record.signature, record.signed)
        vars(record).update(sender=record.signer, sender_bundle=record.signer_bundle)
        if kind == "share":
            vars(record).update(parse("context", unb64(record.context)))
        return record

    def find_author(self, record):
        require(foreign_organisation=record.org_id == self.org_id)
        require(signer_unknown=record.signer in self.people)
        record.person = self.people[record.signer]
        named = [bundle for bundle in record.person.keys if bundle.id == record.signer_bundle]
        require(signer_bundle_unknown=named)
        record.keys, record.author = named[0], (record.signer, record.signer_bundle)
        return record

    def check_position(self, size, head, signature):
        """§5.3"""
        known, key = size <= len(self.ids), in_force(self.checkpoint_keys, size) or b""
        signed = label("checkpoint") + encode("checkpoint", org_id=self.org_id, log_size=size, log_head=head)
        attempt("position_malformed" if known else "position_unproven", verify, key, signature, signed)
        require(log_behind=known)
        if self.ids[size - 1] != head:
            raise Failure("log_fork", {"log_size": size, "log_head": head, "log_sig": b64(signature)})

    def check_checkpoint(self, wire):
        """§5.2: the server's newest checkpoint covers exactly this log."""
        record, size = open_record(wire, "checkpoint"), len(self.ids)
        require(foreign_organisation=record.org_id == self.org_id, log_incomplete=record.log_size <= size)
        self.check_position(record.log_size, record.log_head, record.signature)
        require(log_rollback=record.log_size == size)

    def check_place(self, record):
        """What of §5.4 never changes: the role, and keys that were current at the position."""
        require(signer_not_ops=record.person.role == OPS)
        self.check_position(record.log_size, record.log_head, unb64(record.log_sig))
        require(signer_not_current=in_force(record.person.current, record.log_size) is record.keys)

    def standing(self, record, seen):
        """What the signature is worth today (§5.4); `seen` says that (b) holds, if neither (a) nor (c) does."""
        person, last = record.person, record.keys is record.person.keys[-1]
        if last and not person.ended:
            return "current"
        if last and person.ended == LEFT and record.log_size <= person.last_valid_size:
            return "left"
        require(signer_compromised=seen or person.ended != COMPROMISED)
        require(signer_rotated=seen or last, signer_left=seen)
        return "retired"

    def leads(self, record):
        """Whether what stands before it in its pair counts by it (§5.4 b): by a share that counts, not by an end."""
        return not hasattr(record, "share") and self.standing(record, True) != "retired"


class Pair:
    """One sender's shares and unshares to one recipient, in order (§7.5); `live` are the shares in force."""

    def __init__(self, sender, recipient):
        self.people, self.records, self.live = (sender, recipient), [], {}

    def add(self, log, wire):
        kind, known = wire["type"], len(self.records)
        require(pair_wrong_type=kind in ("share", "unshare"))
        record = log.author(wire, kind)
        require(share_context_sender=(record.sender, record.sender_bundle) == record.author)
        log.check_place(record)
        sequence, previous = record.pair_sequence, record.pair_previous
        require(pair_other=(record.signer, record.recipient) == self.people)
        require(share_pair_place=is_link(sequence, previous), pair_gap=sequence <= known + 1)
        if sequence <= known:
            require(pair_conflict=self.records[sequence - 1].id == record.id, pair_behind=sequence == known)
            return
        require(pair_conflict=previous == (self.records[-1].id if known else NONE))
        if kind == "share":
            self.live[record.file_id] = record.id
        else:
            require(unshare_not_live=self.live.pop(record.file_id, None) == record.share)
        self.records.append(record)


def padme(length):
    """§7.1"""
    low_bits = (length.bit_length() - 1) - (length.bit_length() - 1).bit_length()
    return -(-length >> low_bits) << low_bits


def sealed_length(size):
    """How long a file of `size` bytes is when padded and sealed."""
    require(size_too_large=size <= MAX_SIZE)
    padded = padme(max(size, 4096))
    return padded + 16 * -(-padded // CHUNK)


def part_sizes(length):
    padded = length - 16 * -(-length // SEALED_CHUNK)
    require(size_impossible=sealed_length(padded) == length)
    return [min(PART, length - start) for start in range(0, length, PART)]


def check_manifest(log, manifest, seen):
    """§7.3, and that its signature counts."""
    require(manifest_version=is_link(manifest.version, manifest.previous))
    attempt("manifest_length", part_sizes, manifest.length)
    log.check_place(manifest)
    log.standing(manifest, seen)


def check_version(log, manifest, pin, earlier):
    """§7.3: what `pin` names, or newer and led back to it by `earlier()`, the manifests before it, newest first."""
    seen = pin.get("version") or pin["sequence"]
    require(version_rollback=manifest.version >= seen)
    require(version_conflict=manifest.version > seen or manifest.id == pin["head"])
    for wire in earlier() if manifest.version > seen else []:
        if manifest.version > seen:
            before = log.author(wire, "manifest")
            require(version_chain=before.id == manifest.previous)
            continued = before.file_id, before.signer, before.version + 1
            require(manifest_previous=continued == (manifest.file_id, manifest.signer, manifest.version))
            check_manifest(log, before, seen=True)
            manifest = before
    require(version_chain=(manifest.version, manifest.id) == (seen, pin["head"]))
    require(manifest_previous=manifest.signer == pin.get("owner", manifest.signer))


def check_share(log, me, share, manifest, seen):
    """Steps 3 and 4 of §8; `seen` says of a verified record whether (b) of §5.4 holds for it."""
    enc, ciphertext = unb64(share["enc"]), unb64(share["ciphertext"])
    require(malformed=(len(enc), len(ciphertext)) == (1120, 48))
    record = log.author(share["record"], "share")
    require(share_not_recipient=record.recipient == me.user_id)
    require(share_context_sender=(record.sender, record.sender_bundle) == record.author)
    require(share_not_owner=record.signer == manifest.signer)
    require(share_recipient_bundle=record.recipient_bundle in [bundle.id for bundle in me.keys])
    log.check_place(record)
    record.standing, record.wrapped = log.standing(record, seen(record)), enc + ciphertext
    named = record.file_id, record.version, record.manifest
    require(share_manifest_mismatch=named == (manifest.file_id, manifest.version, manifest.id))
    require(share_commitment_mismatch=record.commitment == manifest.commitment)
    require(share_pair_place=is_link(record.pair_sequence, record.pair_previous))
    require(share_sealed_mismatch=record.sealed == sha256(record.wrapped))
    check_manifest(log, manifest, seen=True)
    return record
