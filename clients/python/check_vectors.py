"""Replays docs/vectors with the Python client: `python check_vectors.py [FOLDER]`. Ends with 1 if a case differs."""
import hashlib, json, pathlib, sys
from types import SimpleNamespace

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from mnemonic import Mnemonic

import log as logs
import protocol as p

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "docs" / "vectors")
unhex = bytes.fromhex
ran, failed = 0, []


def load(name):
    return json.loads((FOLDER / f"{name}.json").read_text())

def case(name, expected, run):
    """Runs one case: it must be accepted, or refused with the code `expected`."""
    global ran
    ran += 1
    try:
        run()
        got = None
    except p.Refused as refused:
        got = refused.code
    except Exception as error:
        got = repr(error)
    if got != expected:
        failed.append(f"{name}: expected {expected or 'acceptance'}, got {got or 'acceptance'}")

def same(name, got, expected):
    case(name, None, lambda: p.require(got == expected, "another value"))

def build(entries, size):
    log = logs.Log(entries[0]["record"], entries[0].get("bundle"))
    for entry in entries[1:size]:
        log.apply(entry["record"], entry.get("bundle"))
    return log

def records():
    for c in load("records")["cases"]:
        def run():
            record = p.verify(c["expected_type"], c["record"], unhex(c["key"]))
            p.require(record.id == c["id"], "another id")
        case(f"records: {c['name']}", c["error"], run)

def log():
    v = load("log")
    whole = build(v["log"], len(v["log"]))
    same("log: head", (whole.head, whole.org_id, whole.name), (v["head"], v["org_id"], v["name"]))
    for c in v["founding"]:
        case(f"founding: {c['name']}", c["error"], lambda: logs.Log(c["record"], c["bundle"]))
    for c in v["entries"]:
        before = build(v["log"], c["after"])
        case(f"entry: {c['name']}", c["error"], lambda: before.apply(c["record"], c.get("bundle")))
        same(f"entry: {c['name']}: applied whole or not at all", before.size, c["after"] + (c["error"] is None))
    for c in v["checkpoints"]:
        at = build(v["log"], c["log_size"])
        case(f"checkpoint: {c['name']}", c["error"], lambda: at.accept_checkpoint(c["record"]))
    for c in v["standings"]:
        at = build(v["log"], c["log_size"])
        author = SimpleNamespace(org_id=c["org_id"], signer=c["signer"], signer_bundle=c["signer_bundle"])
        position = SimpleNamespace(log_size=c["position_size"], log_head=c["position_head"],
                                   log_sig=p.unbase64(c["position_sig"]))
        def run():
            p.require(at.standing(author, position, c["seen"], ops=False) == c["standing"], "another standing")
        case(f"standing: {c['name']}", c.get("error"), run)

def openings():
    v = load("opening")
    for c in v["openings"]:
        case(f"opening: {c['name']}", c["error"], lambda: p.verify_subject(SimpleNamespace(**c["opening"]), c["subject"]))
    for c in v["addresses"]:
        def run():
            address = p.email_address(c["text"])
            p.require(address == c.get("address", address), "another address")
        case(f"address: {c['name']}", c.get("error"), run)

def shares():
    v = load("share")
    account = p.Account(unhex(v["recipient_seed"]))
    me, accepted = v["recipient"], None
    org_id = build(v["log"], 1).org_id
    account.identify(org_id, me, 1)
    for c in v["manifests"]:
        at = build(v["log"], c["log_size"])
        case(f"manifest: {c['name']}", c["error"], lambda: logs.verify_manifest(c["manifest"], at, c["seen"]))
    for c in v["shares"]:
        at = build(v["log"], c["log_size"])
        def run():
            nonlocal accepted
            share = logs.verify_share(c["share"], c["manifest"], at, me, c["seen"])
            content, _, _ = logs.open_share(share, account)
            expected = p.file_keys(org_id, share.context.file_id, share.context.version, unhex(v["file_key"]))[0]
            p.require(content == expected, "another file key")
            accepted = accepted or share
        case(f"share: {c['name']}", c["error"], run)
    for c in v["receipts"]:
        at = build(v["log"], c["log_size"])
        case(f"receipt: {c['name']}", c["error"],
             lambda: logs.verify_receipt(c["receipt"], at, accepted.id, accepted.manifest.id, me))

def pairs():
    v = load("pair")
    at = build(v["log"], 3)
    for c in v["cases"]:
        def run():
            pair = logs.Pair(v["sender"], v["recipient"])
            for raw in c["records"]:
                pair.apply(raw, at)
            found = (pair.head, sorted(map(list, pair.live.items())))
            p.require(found == (c["head"], sorted(c["live"])), "another history")
        case(f"pair: {c['name']}", c.get("error"), run)

def sizes():
    v = load("size")
    for c in v["layouts"]:
        length = p.sealed_length(c["size"])
        parts = -(-length // p.PART)
        found = (p.padded_length(c["size"]), length, parts, length - (parts - 1) * p.PART, p.plain_length(length))
        same(f"size {c['size']}", found, (c["padded_length"], c["ciphertext_length"], c["parts"], c["last_part_length"],
                                          c["padded_length"]))
    for c in v["refused_ciphertext_lengths"]:
        case(f"length {c['ciphertext_length']}", c["error"], lambda: p.plain_length(c["ciphertext_length"]))
    for c in v["refused_sizes"]:
        case(f"size {c['size']}", c["error"], lambda: p.sealed_length(c["size"]))

def content():
    v = load("content")
    for c in v["opened"] + v["refused"]:
        def run():
            manifest = SimpleNamespace(length=c["ciphertext_length"], digest=c["digest"])
            parts = p.Parts(manifest, [unhex(digest) for digest in c["digests"]])
            plain = parts.open(c["part"], unhex(c["ciphertext"]), unhex(c["content_key"]), c["size"])
            p.require(plain == content_bytes(c["size"]), "another content")
        case(f"content: {c.get('name', 'opened')}", c.get("error"), run)
    for c in v["files"]:
        same(f"content: {c['size']} bytes", *sealed_file(c))

def content_bytes(size):
    return bytes((31 * n + n // 251 + 1) % 256 for n in range(size))

def sealed_file(c):
    """Seals a file as a sender would: (digests found, digests expected)."""
    padded = content_bytes(c["size"]).ljust(p.padded_length(c["size"]), b"\0")
    chunks = [padded[at:at + p.CHUNK] for at in range(0, len(padded), p.CHUNK)]
    cipher = p.ChaCha20Poly1305(unhex(c["content_key"]))
    sealed = b"".join(cipher.encrypt(n.to_bytes(11, "big") + bytes([n == len(chunks) - 1]), chunk, b"")
                      for n, chunk in enumerate(chunks))
    digests = [p.blake3(sealed[at:at + p.PART]).digest() for at in range(0, len(sealed), p.PART)]
    digest = p.blake3(p.labelled(b"parts", p.u64(len(sealed)), *digests)).hexdigest()
    return [digest] + [d.hex() for d in digests], [c["digest"]] + [part["digest"] for part in c["parts"]]

def age_stream():
    for c in load("age_stream")["vectors"]:
        def run():
            runs = (bytes(part) if isinstance(part, int) else unhex(part) for part in c["ciphertext"])
            sealed, size = b"".join(runs), p.CHUNK + p.TAG
            p.require(len(sealed) == c["ciphertext_length"], "another length")
            chunks = [sealed[at:at + size] for at in range(0, len(sealed), size)]
            p.require(chunks, "unopenable")
            plain = b"".join(p.open_chunk(unhex(c["key"]), n, n == len(chunks) - 1, chunk)
                             for n, chunk in enumerate(chunks))
            p.require(c.get("error") or p.sha256(plain) == c["plaintext_sha256"], "another plaintext")
        case(f"age: {c['name']}", c.get("error"), run)

def metadata():
    v = load("metadata")
    for c in v["opened"] + v["refused"]:
        manifest = SimpleNamespace(metadata=c["metadata_hash"], length=c["ciphertext_length"])
        place = unhex(c["org_id"]) + unhex(c["file_id"]) + p.u64(c["version"])
        def run():
            opened = p.open_metadata(unhex(c["sealed"]), unhex(c["metadata_key"]), place, manifest)
            p.require(vars(opened) == c["metadata"], "another metadata")
        case(f"metadata: {c.get('name', 'opened')}", c.get("error"), run)

def keys():
    v = load("keys")
    for c in v["accounts"]:
        a = p.Account(unhex(c["account_seed"]))
        same("account keys", (a.signing_key.hex(), a.kem_key.hex(), a.vault_key.hex()),
             (c["signing_public_key"], c["kem_public_key"], c["vault_key"]))
    for c in v["files"]:
        found = p.file_keys(c["org_id"], c["file_id"], c["version"], unhex(c["file_key"]))[:3]
        same("file keys", [key.hex() for key in found], [c["content_key"], c["metadata_key"], c["commitment"]])

def hpke():
    v = load("hpke")
    for c in v["key_pairs"]:
        same(f"hpke: {c['name']}", p.kem_pair(unhex(c["kem_seed"]))[1].hex(), c["kem_public_key"])
    for c in v["valid_public_keys"] + v["refused_public_keys"]:
        case(f"hpke: {c['name']}", c.get("error"),
             lambda: p.require(p.kem_key_valid(unhex(c["kem_public_key"])), "kem_key_invalid"))
    for c in v["opened"] + v["refused"]:
        def run():
            key = logs.unwrap(unhex(c["enc"]) + unhex(c["ciphertext"]), p.kem_pair(unhex(c["kem_seed"]))[0], unhex(c["info"]))
            p.require(key.hex() == c["file_key"], "another key")
        case(f"hpke: {c['name']}", c.get("error"), run)

def vaults():
    v = load("vault")
    for c in v["opened"] + v["refused"]:
        def run():
            vault = p.open_vault(unhex(c["sealed"]), unhex(c["vault_key"]), c["org_id"], c["user_id"], c["version"])
            p.require(vault == c["vault"], "another vault")
        case(f"vault: {c.get('name', 'opened')}", c.get("error"), run)

def kits():
    v = load("kit")
    for c in v["kits"] + v["typed_words"] + v["typed_account_keys"]:
        if "words" in c:
            case("kit words", None, lambda: p.require(p.kit_seed(c["words"]).hex() == c["account_seed"], "another seed"))
        if c.get("account_key"):
            case("kit account key", None,
                 lambda: p.require(p.kit_code(c["account_key_code"], 16).hex() == c["account_key"], "another key"))
        if "org_id" in c:
            case("kit organisation", None,
                 lambda: p.require(p.kit_code(c["organisation_code"], 32).hex() == c["org_id"], "another id"))
    for c in v["refused_words"]:
        case(f"kit: {c['name']}", c["error"], lambda: p.kit_seed(c["words"]))
    for c in v["refused_account_keys"]:
        case(f"kit: {c['name']}", c["error"], lambda: p.kit_code(c["account_key_code"], 16))

def words():
    english = Mnemonic("english").wordlist
    for c in load("words")["cases"]:
        ids = sorted([unhex(c["bundle"]), unhex(c["other_bundle"])])
        bits = int.from_bytes(hashlib.sha256(p.labelled(b"words", unhex(c["org_id"]), *ids)).digest(), "big")
        found = [english[bits >> 245 - 11 * n & 2047] for n in range(12)]
        same(f"words: {c['name']}", found, c["words"])

def stretching():
    for c in load("opaque")["ksf"]:
        ksf = Argon2id(salt=bytes(16), length=64, iterations=3, lanes=4, memory_cost=65536)
        same(f"ksf: {c['name']}", ksf.derive(unhex(c["input"])).hex(), c["output"])

# Not replayed: invite.json, envelope.json and the rest of opaque.json. This client neither invites nor knows passwords.
for check in (records, log, openings, shares, pairs, sizes, content, age_stream, metadata, keys, hpke, vaults, kits,
              words, stretching):
    check()
for line in failed:
    print(line)
print(f"{ran} cases, {len(failed)} differ")
sys.exit(1 if failed or not ran else 0)
