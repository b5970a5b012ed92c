"""Replays docs/vectors with the client: `python check_vectors.py [FOLDER]`. Ends with 1 if a case differs.

What the client does not implement is in LEFT_OUT, and printed.
"""
import json, pathlib, sys
from types import SimpleNamespace

import protocol as p
import sealed as opener
import sealpost as program

# Types of record that a recipient never meets; here they carry many of the cases about encoding.
p.FORM["invite_id"] = p.FORM["user_id"]
p.FIELDS["offer"] = p.AUTHOR + "invite_id user_id subject role account_key expiry" + p.POSITION
p.FIELDS["accept"] = p.AUTHOR + "offer"
p.FIELDS["withdraw"] = p.AUTHOR + "file_id"

LEFT_OUT = {
    "invite": "it invites nobody and joins nothing",
    "words": "it has no command to compare words",
    "envelope: contents": "it signs in without a password, and the envelope stays closed",
    "opaque": "it signs in without a password",
    "evidence": "it makes and checks no evidence for third parties",
    "vault: merges, conflicts": "it reads the vault and never writes it",
    "opening: addresses": "it never resolves an address that somebody typed",
    "share: receipts": "it signs receipts and verifies nobody's",
}
FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "docs" / "vectors")
unhex = bytes.fromhex
ran, failed, loaded = 0, [], set()


def load(name):
    loaded.add(name)
    return json.loads((FOLDER / f"{name}.json").read_text())

def require(condition, otherwise):
    if not condition:
        raise p.Failure(otherwise)

def case(name, expected, run):
    """Runs one case: it must be accepted, or refused with the code `expected`."""
    global ran
    ran += 1
    try:
        run()
        got = None
    except p.Failure as failure:
        got = failure.code
    except Exception as error:
        got = repr(error)
    if got != expected:
        failed.append(f"{name}: expected {expected or 'acceptance'}, got {got or 'acceptance'}")

def same(name, got, expected):
    case(name, None, lambda: require(got == expected, "another value"))

def build(entries, size):
    log = p.Log(None)
    for entry in entries[:size]:
        log.apply(entry["record"], entry.get("bundle"))
    return log

def records():
    for c in load("records")["cases"]:
        def run():
            record = p.open_record(c["record"], c["expected_type"], unhex(c["key"]))
            require(record.id == c["id"], "another id")
        case(f"records: {c['name']}", c["error"], run)

def wires():
    """§4.1, §4.2: records that travel in another form than the one; their signatures are good."""
    key = opener.AccountKeys(bytes(32))
    fields = {"user_id": p.NOBODY, "subject": p.NONE, "signing_key": p.b64(key.signing_public), "suite": 1,
              "kem_key": p.b64(key.kem_public), "generation": 1, "nonce": p.NONE, "checkpoint_key": p.b64(bytes(32))}
    good = key.sign("genesis", name=p.b64(b"x"), **fields)
    spare = good["signature"][:-1] + chr(ord(good["signature"][-1]) + 1)  # the four bits left over are not zero
    for name, error, wire in (
        ("as it is", None, good),
        ("no object", "malformed", [good]),
        ("another member", "malformed", {**good, "more": 1}),
        ("a member missing", "malformed", {"type": "genesis", "payload": good["payload"]}),
        ("padded base64", "malformed", {**good, "signature": good["signature"] + "=="}),
        ("bits left over", "malformed", {**good, "signature": spare}),
        ("base64 of the other alphabet", "malformed", {**good, "payload": good["payload"] + "/"}),
        ("a line break", "malformed", {**good, "payload": good["payload"] + "\n"}),
        ("a signature of 63 bytes", "malformed", {**good, "signature": p.b64(p.unb64(good["signature"])[:63])}),
        ("a payload of 8,193 bytes", "malformed", long_genesis(key, fields, 8193)),
        ("a payload of 8,192 bytes", None, long_genesis(key, fields, 8192)),
    ):
        case(f"wire: {name}", error, lambda: p.open_record(wire, "genesis", key.signing_public))

def long_genesis(key, fields, length):
    fields = {**fields, "name": ""}
    for spare in ({}, {"generation": 11}, {"generation": 111}, {"generation": 1111}):  # base64 has no 4n + 1 characters
        empty = len(p.encode("genesis", **{**fields, **spare}))
        if (length - empty) % 4 == 0:
            return key.sign("genesis", **{**fields, **spare, "name": "YWJj" * ((length - empty) // 4)})

def log():
    v = load("log")
    whole = build(v["log"], len(v["log"]))
    same("log: head", (whole.ids[-1], whole.org_id), (v["head"], v["org_id"]))
    for c in v["founding"]:
        case(f"founding: {c['name']}", c["error"], lambda: p.Log(None).apply(c["record"], c["bundle"]))
    for c in v["entries"]:
        before = build(v["log"], c["after"])
        case(f"entry: {c['name']}", c["error"], lambda: before.apply(c["record"], c.get("bundle")))
        same(f"entry: {c['name']}: applied whole or not at all", len(before.ids), c["after"] + (c["error"] is None))
    for c in v["checkpoints"]:
        at = build(v["log"], c["log_size"])
        case(f"checkpoint: {c['name']}", c["error"], lambda: at.check_checkpoint(c["record"]))
    for c in v["standings"]:
        at = build(v["log"], c["log_size"])
        record = SimpleNamespace(org_id=c["org_id"], signer=c["signer"], signer_bundle=c["signer_bundle"],
                                 log_size=c["position_size"], log_head=c["position_head"], log_sig=c["position_sig"])
        def run():
            at.find_author(record)
            record.person.role = p.OPS  # a login's author may be anybody: here the role does not matter
            at.check_place(record)
            require(at.standing(record, c["seen"]) == c["standing"], "another standing")
        case(f"standing: {c['name']}", c.get("error"), run)

def openings():
    v = load("opening")
    for c in v["openings"]:
        case(f"opening: {c['name']}", c["error"], lambda: program.check_opening(c["opening"], c["subject"]))

def shares():
    v = load("share")
    account = opener.AccountKeys(unhex(v["recipient_seed"]))
    for c in v["manifests"]:
        at = build(v["log"], c["log_size"])
        case(f"manifest: {c['name']}", c["error"],
             lambda: p.check_manifest(at, at.author(c["manifest"], "manifest"), c["seen"]))
    for c in v["shares"]:
        at = build(v["log"], c["log_size"])
        me = at.people[v["recipient"]]
        def run():
            manifest = at.author(c["manifest"], "manifest")
            share = p.check_share(at, me, c["share"], manifest, lambda record: c["seen"])
            content, _ = opener.open_share(account.kem, me.keys[0].id, share)
            place = opener.place(at.org_id, share.file_id, share.version)
            require(content == opener.file_keys(unhex(v["file_key"]), place)[0], "another file key")
        case(f"share: {c['name']}", c["error"], run)

def versions():
    v = load("versions")
    at = build(v["log"], 3)
    for c in v["versions"]:
        manifest = at.author(c["manifest"], "manifest")
        place = opener.place(at.org_id, manifest.file_id, manifest.version)
        same("commitment", opener.file_keys(unhex(c["file_key"]), place)[2].hex(), manifest.commitment)
    for c in v["cases"]:
        pin = {"sequence": c["seen"]["version"], "head": c["seen"]["manifest"]}
        def run():
            manifest = at.author(c["manifest"], "manifest")
            p.check_manifest(at, manifest, False)
            p.check_version(at, manifest, pin, lambda: c["earlier"])
        case(f"version: {c['name']}", c["error"], run)

def pairs():
    v = load("pair")
    at = build(v["log"], 3)
    for c in v["cases"]:
        def run():
            pair = p.Pair(v["sender"], v["recipient"])
            for wire in c["records"]:
                pair.add(at, wire)
            found = (pair.records[-1].id, sorted(map(list, pair.live.items())))
            require(found == (c["head"], sorted(c["live"])), "another history")
        case(f"pair: {c['name']}", c.get("error"), run)

def rotations():
    v = load("rotation")
    early, late = build(v["log"], 3), build(v["log"], 4)
    for c in v["cases"]:
        def run():
            pair, counted = p.Pair(v["sender"], v["recipient"]), 0
            for place, wire in enumerate(c["records"], 1):
                at = early if place <= c["seen_before"] else late
                pair.add(at, wire)
                ends = at.standing(pair.records[-1], True) != "retired" and counted == place - 1
                counted = place if ends or at.leads(pair.records[-1]) else counted
            require(counted == c["counted"], "others count")
        case(f"rotation: {c['name']}", None, run)

def sizes():
    v = load("size")
    for c in v["layouts"]:
        length = p.sealed_length(c["size"])
        parts = p.part_sizes(length)
        found = p.padme(max(c["size"], 4096)), length, len(parts), parts[-1]
        same(f"size {c['size']}", found,
             (c["padded_length"], c["ciphertext_length"], c["parts"], c["last_part_length"]))
    for c in v["refused_ciphertext_lengths"]:
        case(f"length {c['ciphertext_length']}", c["error"], lambda: p.part_sizes(c["ciphertext_length"]))
    for c in v["refused_sizes"]:
        case(f"size {c['size']}", c["error"], lambda: p.sealed_length(c["size"]))

def content():
    v = load("content")
    for c in v["opened"] + v["refused"]:
        def run():
            digests = [unhex(digest) for digest in c["digests"]]
            sizes = opener.check_part_list(digests, c["ciphertext_length"], c["digest"])
            key, part = unhex(c["content_key"]), unhex(c["ciphertext"])
            plain = b"".join(opener.open_part(key, digests, sizes, c["size"], c["part"], part))
            require(plain == content_bytes(c["size"]), "another content")
        case(f"content: {c.get('name', 'opened')}", c.get("error"), run)
    for c in v["files"]:
        same(f"content: {c['size']} bytes", *sealed_file(c))

def content_bytes(size):
    return bytes((31 * n + n // 251 + 1) % 256 for n in range(size))

def sealed_file(c):
    """Seals a file as a sender would: (digests found, digests expected)."""
    padded = content_bytes(c["size"]).ljust(p.padme(max(c["size"], 4096)), b"\0")
    chunks = [padded[at:at + p.CHUNK] for at in range(0, len(padded), p.CHUNK)]
    cipher = opener.ChaCha20Poly1305(unhex(c["content_key"]))
    sealed = b"".join(cipher.encrypt(n.to_bytes(11, "big") + bytes([n == len(chunks) - 1]), chunk, b"")
                      for n, chunk in enumerate(chunks))
    digests = [opener.blake3.blake3(sealed[at:at + p.PART]).digest() for at in range(0, len(sealed), p.PART)]
    digest = opener.blake3.blake3(p.label("parts") + len(sealed).to_bytes(8, "big") + b"".join(digests)).hexdigest()
    return [digest] + [d.hex() for d in digests], [c["digest"]] + [part["digest"] for part in c["parts"]]

def age_stream():
    for c in load("age_stream")["vectors"]:
        def run():
            runs = (bytes(part) if isinstance(part, int) else unhex(part) for part in c["ciphertext"])
            sealed, size = b"".join(runs), p.SEALED_CHUNK
            require(len(sealed) == c["ciphertext_length"], "another length")
            chunks = [sealed[at:at + size] for at in range(0, len(sealed), size)]
            require(chunks, "content_unopenable")
            last = len(chunks) - 1
            require(not chunks[1:] or len(chunks[last]) > 16, "content_unopenable")  # only a file's length rules it out
            plain = b"".join(opener.open_chunk(unhex(c["key"]), n, n == last, chunk) for n, chunk in enumerate(chunks))
            require(c.get("error") or p.sha256(plain) == c["plaintext_sha256"], "another plaintext")
        code = c.get("error") and {"unopenable": "content_unopenable"}[c["error"]]
        case(f"age: {c['name']}", code, run)

def metadata():
    v = load("metadata")
    for c in v["opened"] + v["refused"]:
        manifest = SimpleNamespace(metadata=c["metadata_hash"], length=c["ciphertext_length"])
        place = opener.place(c["org_id"], c["file_id"], c["version"])
        def run():
            opened = vars(opener.open_metadata(unhex(c["metadata_key"]), place, unhex(c["sealed"]), manifest))
            for text in ("name", "media_type", "note"):
                opened[text] = p.unb64(opened[text]).decode()
            require(opened == c["metadata"], "another metadata")
        case(f"metadata: {c.get('name', 'opened')}", c.get("error"), run)

def keys():
    v = load("keys")
    for c in v["accounts"]:
        a = opener.AccountKeys(unhex(c["account_seed"]))
        same("account keys", (a.signing_public.hex(), a.kem_public.hex(), a.vault.hex()),
             (c["signing_public_key"], c["kem_public_key"], c["vault_key"]))
    for c in v["files"]:
        found = opener.file_keys(unhex(c["file_key"]), opener.place(c["org_id"], c["file_id"], c["version"]))
        same("file keys", [key.hex() for key in found], [c["content_key"], c["metadata_key"], c["commitment"]])

def hpke():
    v = load("hpke")
    for c in v["key_pairs"]:
        same(f"hpke: {c['name']}", opener.kem_key_pair(unhex(c["kem_seed"]))[1].hex(), c["kem_public_key"])
    for c in v["valid_public_keys"] + v["refused_public_keys"]:
        case(f"hpke: {c['name']}", c.get("error"), lambda: p.check_kem_key(unhex(c["kem_public_key"])))
    for c in v["opened"] + v["refused"]:
        def run():
            key, wrapped = opener.kem_key_pair(unhex(c["kem_seed"]))[0], unhex(c["enc"] + c["ciphertext"])
            opened = p.attempt("file_key_unopenable", opener.HPKE.decrypt, wrapped, key, unhex(c["info"]))
            require(opened.hex() == c["file_key"], "another key")
        case(f"hpke: {c['name']}", c.get("error"), run)

def vaults():
    v = load("vault")
    for c in v["opened"] + v["refused"]:
        def run():
            place = c["org_id"], c["user_id"], c["version"]
            vault = opener.open_vault(unhex(c["vault_key"]), *place, unhex(c["sealed"]))
            require(vault == c["vault"], "another vault")
        case(f"vault: {c.get('name', 'opened')}", c.get("error"), run)

def envelopes():
    """What §3.4 checks of an envelope that stays closed; its contents are left out."""
    for c in load("envelope")["opened"]:
        keys, envelope = opener.AccountKeys(unhex(c["account_seed"])), unhex(c["envelope"])
        same("envelope hash", p.sha256(envelope), c["envelope_hash"])
        author = {"org_id": c["org_id"], "signer": c["user_id"], "signer_bundle": p.NONE}
        said = {"generation": c["generation"], "epoch": c["epoch"], "account_key": c["account_key"]}
        previous = p.NONE if c["epoch"] == 1 else "11" * 32
        others = {"nonce": p.NONE, "opaque_record": p.NONE, "previous": previous}
        for at in range(-1, 41):
            changed = bytes(byte ^ (n == at) for n, byte in enumerate(envelope))
            record = keys.sign("credential", **author, **said, **others, envelope=p.sha256(changed))
            case(f"envelope: byte {at} of the header", None if at < 0 else "credential_account_key",
                 lambda: program.check_credential(record, changed, keys.signing_public, author, c["generation"]))

def kits():
    v = load("kit")
    for c in v["kits"] + v["typed_words"]:
        same("kit words", opener.read_words(c["words"]).hex(), c["account_seed"])
    for c in v["kits"]:
        same("kit organisation", opener.read_code(c["organisation_code"], 32).hex(), c["org_id"])
    for c in v["kits"] + v["typed_account_keys"]:
        if c["account_key"]:
            same("kit account key", opener.read_code(c["account_key_code"], 16).hex(), c["account_key"])
    for c in v["refused_words"]:
        case(f"kit: {c['name']}", c["error"], lambda: opener.read_words(c["words"]))
    for c in v["refused_account_keys"]:
        case(f"kit: {c['name']}", c["error"], lambda: opener.read_code(c["account_key_code"], 16))

for check in (records, wires, log, openings, shares, versions, pairs, rotations, sizes, content, age_stream, metadata, keys, hpke, vaults, envelopes, kits):
    check()
for what, why in LEFT_OUT.items():
    print(f"left out: {what}: {why}")
covered = {pathlib.Path(name).stem for name in loaded} | {what.split(":")[0] for what in LEFT_OUT}
for file in FOLDER.glob("*.json"):
    same(f"{file.name} is either replayed or listed as left out", file.stem in covered, True)
for line in failed:
    print(line)
print(f"{ran} cases, {len(failed)} differ")
sys.exit(1 if failed or not ran else 0)
