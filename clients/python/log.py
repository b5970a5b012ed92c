"""The organisation's log, shares, pairs, receipts: docs/protocol.md §4.3, §5, §7.3 to §7.6, §8."""
from types import SimpleNamespace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke

from protocol import (COMPROMISED, CONTEXT, LEFT, OPS, Refused, V, ZERO16, ZERO32, claim, control_free,
                      encode, file_keys, field_value, labelled, parse, plain_length, point_valid, record_id, require,
                      sha256, signature_valid, to_base64, unbase64, verify, verify_bundle)

SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class Log:
    """A log whose every entry was verified against the state before it (§5.1)."""

    def __init__(self, genesis_raw, bundle_raw):
        genesis = claim("genesis", genesis_raw)
        require(genesis.suite == 1, "unsupported_suite")
        require(point_valid(genesis.signing_key), "signing_key_invalid")
        verify("genesis", genesis_raw, genesis.signing_key)
        require(genesis.generation == 1, "genesis_generation")
        require(point_valid(genesis.checkpoint_key), "checkpoint_key_invalid")
        require(1 <= len(genesis.name.encode()) <= 256 and control_free(genesis.name), "organisation_name")
        require(bundle_raw is not None, "log_bundle_missing")
        bundle = verify_bundle(bundle_raw, record_id(bundle_raw))
        stated = (genesis.id, genesis.user_id, genesis.signing_key, genesis.kem_key, 1)
        found = (bundle.org_id, bundle.user_id, bundle.signing_key, bundle.kem_key, bundle.generation)
        require(stated == found, "genesis_bundle")
        self.org_id, self.name, self.heads = genesis.id, genesis.name, [genesis.id]
        self.checkpoint_keys = [(1, genesis.checkpoint_key)]  # (from this size on, key)
        self.people, self.signature = {}, None
        self._admit(genesis, bundle, OPS)

    size = property(lambda self: len(self.heads))
    head = property(lambda self: self.heads[-1])

    def active(self, user_id):
        person = self.people.get(user_id)
        return person if person and person.ended is None else None

    def _ops(self):
        return {user_id for user_id, person in self.people.items() if person.ended is None and person.role == OPS}

    def _admit(self, entry, bundle, role):
        generation = SimpleNamespace(bundle=bundle, since=self.size, until=None)
        self.people[entry.user_id] = SimpleNamespace(
            user_id=entry.user_id, subject=entry.subject, role=role, generations=[generation], ended=None)

    def _end(self, user_id, reason, last_valid_size, at):
        person = self.people[user_id]
        if person.ended is None:
            person.generations[-1].until = at
        person.ended = SimpleNamespace(reason=reason, last_valid_size=last_valid_size)

    # --- entries ---

    def apply(self, raw, bundle_raw):
        """Applies an entry whole, or refuses it and changes nothing."""
        kind = raw.get("type") if isinstance(raw, dict) else None
        require(kind in ("certify", "rotate", "revoke", "service"), "log_not_an_entry")
        entry = self.authored(raw["type"], raw)
        require(entry.sequence == self.size, "log_sequence")
        require(entry.previous == self.head, "log_previous")
        signer = self.people[entry.signer]
        require(signer.ended is None, "log_signer_ended")
        require(signer.generations[-1].bundle.id == entry.signer_bundle, "log_signer_rotated")
        require(raw["type"] == "rotate" or signer.role == OPS, "log_signer_not_ops")
        subject = entry.user_id if raw["type"] == "certify" else entry.signer
        bundle = self._introduced(raw["type"], entry, bundle_raw, subject)
        getattr(self, "_" + raw["type"])(entry, bundle, signer)

    def _introduced(self, kind, entry, bundle_raw, user_id):
        if kind in ("revoke", "service"):
            require(bundle_raw is None, "log_bundle_unexpected")
            return None
        require(bundle_raw is not None, "log_bundle_missing")
        bundle = verify_bundle(bundle_raw, entry.bundle)
        require((bundle.org_id, bundle.user_id) == (self.org_id, user_id), "log_bundle_foreign")
        return bundle

    def _certify(self, entry, bundle, _):
        require(entry.user_id not in self.people, "already_certified")
        if entry.replaces != ZERO16:
            require(self.active(entry.replaces), "log_replaces")
            require(self._ops() - {entry.replaces} or entry.role == OPS, "log_no_ops_left")
        require(entry.generation == bundle.generation == 1, "log_generation")
        if entry.replaces != ZERO16:
            self._end(entry.replaces, LEFT, entry.sequence, entry.sequence)
        self.heads.append(entry.id)
        self._admit(entry, bundle, entry.role)

    def _rotate(self, entry, bundle, signer):
        old = signer.generations[-1]
        require(entry.generation == bundle.generation == old.bundle.generation + 1, "log_generation")
        kept = bundle.signing_key == old.bundle.signing_key or bundle.kem_key == old.bundle.kem_key
        require(not kept, "log_keys_kept")
        old.until = entry.sequence
        self.heads.append(entry.id)
        signer.generations.append(SimpleNamespace(bundle=bundle, since=self.size, until=None))

    def _revoke(self, entry, *_):
        person = self.people.get(entry.user_id)
        require(person, "log_not_a_member")
        found_out = person.ended and person.ended.reason == LEFT and entry.reason == COMPROMISED
        require(person.ended is None or found_out, "log_already_ended")
        require(entry.last_valid_size <= entry.sequence, "log_last_valid_size")
        require(self._ops() - {entry.user_id}, "log_no_ops_left")
        self._end(entry.user_id, entry.reason, entry.last_valid_size, entry.sequence)
        self.heads.append(entry.id)

    def _service(self, entry, *_):
        require(point_valid(entry.checkpoint_key), "checkpoint_key_invalid")
        self.heads.append(entry.id)
        self.checkpoint_keys.append((self.size, entry.checkpoint_key))

    # --- checkpoints and log positions (§5.2, §5.3) ---

    def check_position(self, size, head, signature):
        keys = [key for since, key in self.checkpoint_keys if since <= size]
        payload = encode({"org_id": self.org_id, "log_size": size, "log_head": head})
        signed = keys and signature_valid(keys[-1], V + b"checkpoint\0" + payload, signature)
        require(signed, "position_malformed" if size <= self.size else "position_unproven")
        if size <= self.size:
            require(self.heads[size - 1] == head, "log_fork")

    def accept_checkpoint(self, raw):
        """Requires the server's newest checkpoint to cover exactly this log."""
        checkpoint = claim("checkpoint", raw)
        require(checkpoint.org_id == self.org_id, "foreign_organisation")
        signature = field_value("sig64", raw["signature"])
        self.check_position(checkpoint.log_size, checkpoint.log_head, signature)
        require(checkpoint.log_size >= self.size, "log_rollback")
        require(checkpoint.log_size == self.size, "log_incomplete")
        self.signature = signature

    def position(self):
        return {"log_size": self.size, "log_head": self.head, "log_sig": to_base64(self.signature)}

    # --- authors and standing (§4.3, §5.4) ---

    def generation(self, org_id, signer, signer_bundle):
        require(org_id == self.org_id, "foreign_organisation")
        require(signer in self.people, "signer_unknown")
        for generation in self.people[signer].generations:
            if generation.bundle.id == signer_bundle:
                return generation
        raise Refused("signer_bundle_unknown")

    def authored(self, kind, raw):
        """Who signed. Whether it counts is `standing`'s to say."""
        record = claim(kind, raw)
        generation = self.generation(record.org_id, record.signer, record.signer_bundle)
        return verify(kind, raw, generation.bundle.signing_key)

    def current_then(self, author, position):
        """The generation that signed, current at a log position that checks."""
        generation = self.generation(author.org_id, author.signer, author.signer_bundle)
        self.check_position(position.log_size, position.log_head, position.log_sig)
        require(position.log_size <= self.size, "log_behind")
        until = self.size if generation.until is None else generation.until
        require(generation.since <= position.log_size <= until, "signer_not_current")
        return generation

    def standing(self, author, position, seen=False, ops=True):
        generation = self.current_then(author, position)
        person = self.people[author.signer]
        newest, ended = generation is person.generations[-1], person.ended
        if ended is None and newest:
            standing = "current"
        elif ended and newest and ended.reason == LEFT and position.log_size <= ended.last_valid_size:
            standing = "left"
        elif seen:
            standing = "retired"
        elif ended and ended.reason == COMPROMISED:
            raise Refused("signer_compromised")
        else:
            raise Refused("signer_left" if ended and newest else "signer_rotated")
        require(not ops or person.role == OPS, "signer_not_ops")
        return standing


# --- §7.3, §7.4, §8: manifests and shares ---

def check_manifest_form(manifest):
    require(manifest.version >= 1 and (manifest.version == 1) == (manifest.previous == ZERO32), "manifest_version")
    try:
        plain_length(manifest.length)
    except Refused:
        raise Refused("manifest_length") from None

def verify_manifest(raw, log, seen=False):
    """A manifest on its own; one that a share names is verified by `verify_share`."""
    manifest = log.authored("manifest", raw)
    check_manifest_form(manifest)
    log.standing(manifest, manifest, seen)
    return manifest

def share_context(share):
    context = parse(CONTEXT, share.context)
    require((context.sender, context.sender_bundle) == (share.signer, share.signer_bundle), "share_context_sender")
    return context

def check_pair_place(record):
    first = record.pair_sequence == 1
    require(record.pair_sequence >= 1 and first == (record.pair_previous == ZERO32), "share_pair_place")

def verify_share(sealed, manifest_raw, log, me, seen=False):
    """§8, steps 3 and 4: what the server says about a file, up to the key."""
    enc, ciphertext = unbase64(sealed["enc"]), unbase64(sealed["ciphertext"])
    require((len(enc), len(ciphertext)) == (1120, 48), "malformed")
    manifest = log.authored("manifest", manifest_raw)
    share = log.authored("share", sealed["record"])
    context = parse(CONTEXT, share.context)
    require(context.recipient == me, "share_not_recipient")
    share_context(share)
    require(share.signer == manifest.signer, "share_not_owner")
    mine = [generation.bundle.id for generation in log.people[me].generations] if me in log.people else []
    require(context.recipient_bundle in mine, "share_recipient_bundle")
    standing = log.standing(share, context, seen)
    named = (context.file_id, context.version, context.manifest)
    require(named == (manifest.file_id, manifest.version, manifest.id), "share_manifest_mismatch")
    require(context.commitment == manifest.commitment, "share_commitment_mismatch")
    check_pair_place(context)
    require(sha256(enc + ciphertext) == share.sealed, "share_sealed_mismatch")
    check_manifest_form(manifest)
    log.standing(manifest, manifest, seen=True)
    return SimpleNamespace(id=share.id, record=share, context=context, manifest=manifest, wrapped=enc + ciphertext,
                           standing=standing)

def open_share(share, account):
    """§8, steps 6 and 7: (content key, metadata key, place)."""
    require(share.context.recipient_bundle == account.bundle_id, "share_other_generation")
    info = labelled(b"share-info", bytes.fromhex(sha256(share.record.context)))
    file_key = unwrap(share.wrapped, account.kem, info)
    content, metadata, commitment, place = file_keys(
        share.record.org_id, share.context.file_id, share.context.version, file_key)
    require(commitment.hex() == share.context.commitment, "commitment_mismatch")
    return content, metadata, place

def unwrap(wrapped, private_key, info):
    require(len(wrapped) == 1120 + 48, "file_key_unopenable")
    try:
        return SUITE.decrypt(wrapped, private_key, info)
    except (InvalidTag, ValueError):
        raise Refused("file_key_unopenable") from None


# --- §7.5: pairs ---

class Pair:
    """All that one person shared with another, in order."""

    def __init__(self, sender, recipient):
        self.sender, self.recipient = sender, recipient
        self.sequence, self.head, self.live = 0, ZERO32, {}

    def apply(self, raw, log):
        kind = raw.get("type") if isinstance(raw, dict) else None
        require(kind in ("share", "unshare"), "pair_wrong_type")
        record = log.authored(kind, raw)
        entry = share_context(record) if kind == "share" else record
        require(log.people[record.signer].role == OPS, "signer_not_ops")
        log.current_then(record, entry)
        check_pair_place(entry)
        require((record.signer, entry.recipient) == (self.sender, self.recipient), "pair_other")
        require(entry.pair_sequence <= self.sequence + 1, "pair_gap")
        if entry.pair_sequence <= self.sequence:
            newest = entry.pair_sequence == self.sequence
            require(newest, "pair_behind")
            require(record.id == self.head, "pair_conflict")
            return
        require(entry.pair_previous == self.head, "pair_conflict")
        if kind == "share":
            self.live[entry.file_id] = record.id
        else:
            require(self.live.get(entry.file_id) == record.share, "unshare_not_live")
            del self.live[entry.file_id]
        self.sequence, self.head = entry.pair_sequence, record.id


# --- §7.6: receipts ---

def verify_receipt(raw, log, share_id, manifest_id, recipient):
    receipt = log.authored("receipt", raw)
    require(receipt.signer == recipient, "receipt_not_recipient")
    require(receipt.share == share_id, "receipt_other_share")
    require(receipt.manifest == manifest_id, "receipt_other_manifest")
    log.current_then(receipt, receipt)
    return receipt
