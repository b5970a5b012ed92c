"""The Python client at a real server whose answers are changed on the way: every case must end in its code.

`hostile.py FOLDER_OF_THE_CLIENT SERVER MY_KIT SENDERS_KIT`. The account has two files of the sender, the first of
several parts. Nothing may be left at the final path, and no receipt be sent, by a case that is refused.
"""

import contextlib, copy, json, pathlib, re, shutil, sys, tempfile, time
from types import SimpleNamespace

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha20poly1305_encrypt

sys.path.insert(0, sys.argv[1])
import protocol as p
import sealed
import sealpost

SERVER, KIT, SENDERS_KIT = sys.argv[2:]
SCRATCH = pathlib.Path(tempfile.mkdtemp())
OTHER16, OTHER32 = "ab" * 16, "ab" * 32
ran, wrong = 0, []


class Hostile(sealpost.Client):
    """Changes what the server answers: {pattern of method and path: function of the answer}."""

    def __init__(self, home, changes=()):
        super().__init__(SERVER, str(home), KIT)
        self.changes, self.asked, self.tickets = dict(changes), [], []

    def ask(self, method, path, body=None, signed_in=True, **headers):
        self.asked.append((method, path, body))
        for pattern, change in self.changes.items():
            if re.fullmatch(pattern, f"{method} {path}"):
                return change(lambda: super(Hostile, self).ask(method, path, body, signed_in, **headers))
        return super().ask(method, path, body, signed_in, **headers)

    def request(self, method, path, body=None, signed_in=True, **headers):
        self.tickets += [headers[name] for name in headers if name == "sealpost-ticket"]
        answer = super().request(method, path, body, signed_in, **headers)
        change = self.changes.get("BYTES")
        return SimpleNamespace(read=change(answer.read)) if change and path.endswith("/download") else answer


def changed(**fields):
    """The honest answer with some members changed, each by a function or to a value."""

    def change(ask):
        answer = copy.deepcopy(ask())
        for name, value in fields.items():
            inside, *rest = answer, *name.split("__")
            for step in rest[:-1]:
                inside = inside[step]
            inside[rest[-1]] = value(inside[rest[-1]]) if callable(value) else value
        return answer

    return change


def instead(answer):
    return lambda ask: copy.deepcopy(answer)


def home(seen, state=()):
    """A home: a new one, or a copy of one that has seen both files, with some of its pins changed."""
    path = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    if seen:
        kept = json.loads((SEEN / "state.json").read_text())
        for change in state:
            change(kept)
        (path / "state.json").write_text(json.dumps(kept))
    return path


def codes(client, command, file_id=None):
    """Every code that a run of the program tells."""
    told, target = [], pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    sealpost.tell = lambda error, of="": told.append(getattr(error, "code", repr(error))) or 7
    arguments = SimpleNamespace(command=command, target=str(target), file_id=file_id)
    if not file_id:
        del arguments.file_id
    try:
        with contextlib.redirect_stdout(None):
            sealpost.run(client, arguments)
    except Exception as error:
        sealpost.tell(error)
    return told, [*target.iterdir()]


def case(name, expected, changes=(), seen=False, state=(), command="download", before=lambda client: None):
    global ran
    ran += 1
    try:
        client = Hostile(home(seen, state), changes)
    except p.Failure as failure:
        told, left, client = [failure.code], [], None
    else:
        before(client)
        told, left = codes(client, command, A if command == "download" else None)
    receipts = [path for method, path, _ in client.asked if path.endswith("/receipt")] if client else []
    if expected is None and (told or not left and command == "download"):
        wrong.append(f"{name}: expected acceptance, got {told}")
    if expected and (not told or set(told) != {expected} or left or receipts):
        wrong.append(f"{name}: expected {expected}, got {told}, left {left}, {len(receipts)} receipts")
    return client


# What an honest run sees.
SEEN = home(False)
honest = Hostile(SEEN)
honest.enter()
A, B = (file["file_id"] for file in sorted(honest.items("/files/shared"), key=lambda file: -len(str(file))))
files = {file_id: honest.ask("GET", f"/files/{file_id}") for file_id in (A, B)}
sizes = {file_id: honest.verified(file, file_id)[0].length for file_id, file in files.items()}
A, B = sorted((A, B), key=sizes.get, reverse=True)
manifest, share, *_ = honest.verified(files[A], A)
ME, SENDER, me, org_id = honest.user_id, share.signer, honest.keys, honest.org_id
pair = honest.ask("GET", f"/pairs/{SENDER}?direction=received&after=0&limit=100")
vault_answer = honest.ask("GET", "/account/vault")
vault = sealed.open_vault(me.vault, org_id, ME, vault_answer["version"], p.unb64(vault_answer["blob"]))
account = {}
honest.changes["POST /auth/key"] = lambda ask: account.update(ask()) or account
honest.sign_in()
credential = p.open_record(account["account"]["credential"], "credential")
envelope = p.unb64(account["account"]["envelope"])
tokens = account["tokens"]
with open(SENDERS_KIT) as kit:
    sender = sealed.AccountKeys(sealed.read_words(json.load(kit)["words"]))
honest.lock.close()


def flipped(blob, at=-1):
    raw = bytearray(p.unb64(blob))
    raw[at] ^= 1
    return p.b64(bytes(raw))


def login(user_id=ME, generation=1, header=None, envelope=envelope, keys=me, **fields):
    """Answers of a server that lets somebody in as it pleases, with a credential of the account's own."""
    bundle = p.self_signed(
        me.sign(
            "bundle",
            org_id=org_id,
            user_id=user_id,
            suite=1,
            generation=generation,
            signing_key=p.b64(me.signing_public),
            kem_key=p.b64(me.kem_public),
        ),
        "bundle",
    )
    said = {name: vars(credential)[name] for name in p.FIELDS["credential"].split()}
    made = dict(signer=user_id, signer_bundle=bundle.id, generation=generation)
    numbers = b"".join(number.to_bytes(8) for number in (generation, 1, fields.get("epoch", said["epoch"])))
    envelope = (header or bytes.fromhex(user_id) + numbers + envelope[40:41]) + envelope[41:]
    record = keys.sign("credential", **{**said, **made, "envelope": p.sha256(envelope), **fields})
    answer = {"user_id": user_id, "credential": record, "envelope": p.b64(envelope)}
    challenge = {"org_id": org_id, "user_id": user_id, "generation": generation, "nonce": OTHER32, "time": 0}
    return {
        "POST /auth/key/challenge": instead(challenge),
        "POST /auth/key": instead({"account": answer, "tokens": tokens}),
    }


def vault_of(user_id=ME, version=vault["version"], nonce=b"n" * 24, **fields):
    text = json.dumps({**vault, "version": version, **fields}).encode()
    plain = (len(text).to_bytes(4) + text).ljust(p.padme(max(4 + len(text), 4096)), b"\0")
    aad = p.label("vault") + sealed.place(org_id, user_id, version)
    blob = nonce + xchacha20poly1305_encrypt(plain, aad, nonce, me.vault)
    return {
        "GET /account/vault": instead(
            {"version": version, "previous": vault["previous"], "blob": p.b64(blob)}
        )
    }


def pins(**changed_pins):
    return vault_of(pins={**vault["pins"], **changed_pins})


def pin(kind, name, **fields):
    return [lambda state: state[kind][name].update(fields)]


# §9: who signs in.
case("nothing changed", None)
case("nothing changed, seen before", None, seen=True)
case("the list, unchanged", None, command="list")
case(
    "another organisation's challenge",
    "foreign_organisation",
    {"POST /auth/key/challenge": changed(org_id=OTHER32)},
)
case(
    "another account's challenge",
    "other_account",
    {"POST /auth/key/challenge": changed(user_id=OTHER16)},
    seen=True,
)
case("a challenge that is no nonce", "malformed", {"POST /auth/key/challenge": changed(nonce="no")})
case("another account's answer", "other_account", {"POST /auth/key": changed(account__user_id=OTHER16)})
case("a login like the server's", None, login())
case(
    "an account that nobody certified",
    "account_pending",
    {**login(user_id=OTHER16), **vault_of(user_id=OTHER16)},
)
case("a generation that nobody certified", "admission_bundle", login(generation=2))

# §3.4: the credential.
case("a credential by another key", "signature_invalid", login(keys=sender))
case("a credential of other keys", "credential_signer", login(signer_bundle=OTHER32))
case("a credential of another organisation", "credential_signer", login(org_id=OTHER32))
case("a credential of another person", "credential_signer", login(signer=OTHER16))
case(
    "a credential of another generation",
    "credential_signer",
    login(generation=1, **{"nonce": OTHER32})
    | {"POST /auth/key/challenge": login(generation=2)["POST /auth/key/challenge"]},
)
case("epoch 0", "credential_epoch", login(epoch=0))
case("a first credential that follows one", "credential_previous", login(epoch=1, previous=OTHER32))
case("a second credential that follows none", "credential_previous", login(epoch=2, previous=p.NONE))
case("another envelope", "credential_envelope", {"POST /auth/key": changed(account__envelope=flipped)})
case("an envelope that is too long", "credential_envelope", login(envelope=envelope + b"\0"))
for at, what in ((15, "user_id"), (23, "generation"), (31, "suite"), (39, "epoch"), (40, "flag")):
    header = bytearray(envelope[:41])
    header[at] ^= 1
    case(f"another {what} in the envelope", "credential_account_key", login(header=bytes(header)))
later = dict(sequence=credential.epoch + 1, head=OTHER32)
same = dict(sequence=credential.epoch, head=OTHER32)
case(
    "an older credential than the device's",
    "credential_rollback",
    seen=True,
    state=pin("credentials", ME, **later),
)
case(
    "another credential than the device's",
    "credential_conflict",
    seen=True,
    state=pin("credentials", ME, **same),
)
case("an older credential than the vault's", "credential_rollback", pins(credential=later))
case("another credential than the vault's", "credential_conflict", pins(credential=same))

# §3.5, §9: the vault.
case("a vault like the server's", None, vault_of())
case(
    "a vault under another version",
    "vault_unopenable",
    {"GET /account/vault": changed(version=lambda n: n + 1)},
)
case("a changed vault", "vault_unopenable", {"GET /account/vault": changed(blob=flipped)})
case(
    "a vault that is too long",
    "vault_too_long",
    {"GET /account/vault": changed(blob=p.b64(bytes((4 << 20) + 1)))},
)
now, blob_hash = vault["version"], p.sha256(p.unb64(vault_answer["blob"]))
case(
    "an older vault",
    "vault_rollback",
    seen=True,
    state=[lambda state: state["vault"].update(version=now + 1)],
)
case("another vault of the same version", "vault_rollback", vault_of(), seen=True)
case(
    "a next vault that does not follow",
    "vault_rollback",
    vault_of(version=now + 1, previous=OTHER32),
    seen=True,
)
case("a next vault that follows", None, vault_of(version=now + 1, previous=blob_hash), seen=True)
case("a vault after the next", None, vault_of(version=now + 2, previous=OTHER32), seen=True)

# §5: the log.
head = honest.log.ids[-1]
size = len(honest.log.ids)
checkpoint = p.encode("checkpoint", org_id=org_id, log_size=share.log_size, log_head=share.log_head)
older = {"type": "checkpoint", "payload": p.b64(checkpoint), "signature": share.log_sig}
LOG = r"GET /log\?.*"
case(
    "a log without its last entry",
    "log_incomplete",
    {LOG: changed(entries=lambda entries: entries[: size - 1 if len(entries) == size else 0])},
)
case("a checkpoint that nobody signed", "position_malformed", {LOG: changed(checkpoint__signature=flipped)})
case(
    "a log whose entry is changed",
    "signature_invalid",
    {
        LOG: changed(
            entries=lambda entries: (
                entries[:1]
                + [
                    {
                        **entry,
                        "record": {**entry["record"], "signature": flipped(entry["record"]["signature"], 40)},
                    }
                    for entry in entries[1:]
                ]
            )
        )
    },
)
case("an older checkpoint than the log", "log_rollback", {LOG: changed(checkpoint=older)})
case(
    "another head than the vault's",
    "log_rollback",
    pins(log={"size": size, "head": OTHER32, "signature": ""}),
)
case(
    "a shorter log than the vault's",
    "log_rollback",
    pins(log={"size": size + 1, "head": head, "signature": ""}),
)
genesis = me.sign(
    "genesis",
    user_id=ME,
    subject=OTHER32,
    signing_key=p.b64(me.signing_public),
    kem_key=p.b64(me.kem_public),
    suite=1,
    generation=1,
    nonce=OTHER32,
    name=p.b64(b"Another"),
    checkpoint_key=p.b64(me.signing_public),
)
case("another organisation's log", "foreign_organisation", {LOG: changed(entries=[{"record": genesis}])})
forked = case(
    "another history",
    "log_fork",
    seen=True,
    before=lambda client: client.log.ids.__setitem__(share.log_size - 1, OTHER32),
)
forked.lock.close()
try:
    Hostile(pathlib.Path(forked.path).parent)
    wrong.append("a home that has seen two histories goes on")
except p.Failure as failure:
    if (
        failure.code != "log_fork"
        or {"checkpoint", "fork"} - json.loads(pathlib.Path(forked.path).read_text()).keys()
    ):
        wrong.append(f"a home that has seen two histories: {failure.code}, and no evidence")


def sender_has(seen, **fields):
    """The sender's keys were rotated, and the membership may have ended, after this device saw the records or not."""
    person = lambda client: client.log.people[SENDER]
    return {
        "seen": True,
        "state": [] if seen else pin("pairs", f"{SENDER}:{ME}", counted=0),
        "before": lambda client: (
            person(client).keys.append(p.Fields(id=OTHER32)),
            vars(person(client)).update(fields),
        ),
    }


case("rotated keys, seen", None, **sender_has(True))
case("rotated keys, not seen", "signer_rotated", **sender_has(False))
case("compromised keys, seen", None, **sender_has(True, ended=p.COMPROMISED))
case("compromised keys, not seen", "signer_compromised", **sender_has(False, ended=p.COMPROMISED))

# §7: files, pairs, versions.
FILE, PAIR = f"GET /files/{A}", rf"GET /pairs/{SENDER}\?.*"
case("another file", "other_file", {FILE: instead(files[B])})
case("another version", "other_file", {FILE: changed(version=2)})
case("another file's metadata", "metadata_mismatch", {FILE: changed(metadata=files[B]["metadata"])})
case("another file's share", "share_manifest_mismatch", {FILE: changed(share=files[B]["share"])})
case("another wrap", "share_sealed_mismatch", {FILE: changed(share__ciphertext=flipped)})
none = {PAIR: changed(records=[], newest=0)}
case("a history that ends before the share", "share_not_in_force", none)
case("a history that ends before the pin", "pair_rollback", none, seen=True)
name = f"{SENDER}:{ME}"
case("another history than the device's", "pair_conflict", seen=True, state=pin("pairs", name, head=OTHER32))
further = {name: {"sequence": len(pair["records"]) + 1, "head": OTHER32}}
differing = {name: {"sequence": len(pair["records"]), "head": OTHER32}}
case("a shorter history than the vault's", "pair_rollback", pins(pairs=further))
case("another history than the vault's", "pair_conflict", pins(pairs=differing))
position = {field: vars(share)[field] for field in ("log_size", "log_head", "log_sig")}
author = {field: vars(share)[field] for field in ("org_id", "signer", "signer_bundle")}
last = honest.pairs[SENDER].records[-1]
link = {"pair_sequence": last.pair_sequence + 1, "pair_previous": last.id, "time": int(time.time())}
unshare = sender.sign("unshare", **author, **position, **link, file_id=A, recipient=ME, share=share.id)
case(
    "a share that was ended",
    "share_not_in_force",
    {PAIR: changed(records=lambda records: records + [unshare], newest=last.pair_sequence + 1)},
)


def version(number, previous):
    """A later version of the file, signed and shared by its owner."""
    said = {field: vars(manifest)[field] for field in p.FIELDS["manifest"].split()}
    record = sender.sign("manifest", **{**said, "version": number, "previous": previous})
    ours = p.open_record(record, "manifest")
    context = {field: vars(share)[field] for field in p.FIELDS["context"].split()}
    context |= {**link, "version": number, "manifest": ours.id}
    granted = sender.sign(
        "share", **author, context=p.b64(p.encode("context", **context)), sealed=share.sealed
    )
    wire = {
        **files[A],
        "manifest": record,
        "version": number,
        "share": {**files[A]["share"], "record": granted},
    }
    longer = changed(records=lambda records: records + [granted], newest=link["pair_sequence"])
    return {FILE: instead(wire), PAIR: longer}


case("a next version that does not follow", "version_chain", version(2, OTHER32), seen=True)
case("a version after the next", "version_chain", version(3, manifest.id), seen=True)
MANIFESTS, first = f"GET /files/{A}/manifests", files[A]["manifest"]
chain = {MANIFESTS: instead({"manifests": [first]})}
case("a next version of a new context", "file_key_unopenable", {**version(2, manifest.id), **chain}, seen=True)
case("a next version whose chain is kept back", "version_chain", version(2, manifest.id), seen=True)
skips = {**version(3, manifest.id), **chain}
case("a version after the next, by a chain that skips", "manifest_previous", skips, seen=True)
broken = {MANIFESTS: instead({"manifests": [{**first, "signature": files[B]["manifest"]["signature"]}]})}
case("a chain that nobody signed", "signature_invalid", {**version(2, manifest.id), **broken}, seen=True)
case("a version that nobody saw before", "file_key_unopenable", version(2, OTHER32))
case("an older version", "version_rollback", seen=True, state=pin("files", A, version=2))
case("another file of the same version", "version_conflict", seen=True, state=pin("files", A, head=OTHER32))
case("another owner's file", "manifest_previous", seen=True, state=pin("files", A, owner=OTHER16))
case(
    "an older version than the vault's", "version_rollback", pins(files={A: {"sequence": 2, "head": OTHER32}})
)
case("another file than the vault's", "version_conflict", pins(files={A: {"sequence": 1, "head": OTHER32}}))
case(
    "a version that does not follow the vault's",
    "version_chain",
    {**version(2, OTHER32), **pins(files={A: {"sequence": 1, "head": manifest.id}})},
)

# §4.4: who it is from.
MEMBERS = r"GET /members\?.*"
everybody = {"opening": {"user_id": OTHER16, "salt": OTHER32, "email": "a@b", "name": ""}}
case("an address of nobody", "opening_unknown", {MEMBERS: changed(items=[everybody])}, command="list")
case(
    "another address",
    "opening_mismatch",
    {
        MEMBERS: changed(
            items=lambda items: [
                {"opening": {**item["opening"], "email": "eve@example.com"}} for item in items
            ]
        )
    },
    command="list",
)

# §7.1: the content.
PARTS = r"GET /files/\w+/versions/1/parts.*"
case("no list of parts", "part_count", {PARTS: changed(digests="")})
case(
    "a longer list of parts",
    "part_count",
    {PARTS: changed(digests=lambda text: p.b64(p.unb64(text) + bytes(32)))},
)
case("another list of parts", "part_list_mismatch", {PARTS: changed(digests=flipped)})
case("another byte", "part_mismatch", {"BYTES": lambda read: lambda size: read(size)[:-1] + b"?"})
case("a connection that ends", "no_connection", {"BYTES": lambda read: lambda size: read(size)[:-1]})

# §9.1: ticket and receipt are kept, and given again, until the receipt was taken.
path, target, told = home(False), SCRATCH / "once", []


def refuse(ask):
    raise p.Failure("unavailable", 503)


runs = []
RECEIPT = f"POST /files/{A}/receipt"
for changes in ({"BYTES": lambda read: lambda size: b""}, {RECEIPT: refuse}, {RECEIPT: refuse}, {}):
    client = Hostile(path, changes)
    sealpost.tell = lambda error, of="": told.append(error.code) or 7
    with contextlib.redirect_stdout(None):
        sealpost.run(client, SimpleNamespace(command="download", target=str(target), file_id=A))
    client.lock.close()
    runs.append(
        (set(client.tickets), [body["receipt"] for _, at, body in client.asked if at.endswith("/receipt")])
    )
ran += 1
tickets = set().union(*(tickets for tickets, _ in runs))
receipts = [json.dumps(receipt) for _, sent in runs for receipt in sent]
if (
    told != ["no_connection", "unavailable", "unavailable"]
    or len(tickets) != 1
    or len(receipts) != 3
    or len(set(receipts)) != 1
):
    wrong.append(
        f"a receipt that was not taken: told {told}, {len(tickets)} tickets, {len(receipts)} receipts"
    )
if not target.exists() or "ticket" in json.loads((path / "state.json").read_text())["downloads"][share.id]:
    wrong.append("a receipt that was taken at last: no file, or its ticket is kept")

# §9.1, §5.3: what is refused before anything is asked.
for server, code in (("http://example.org", "https_required"), ("ftp://127.0.0.1", "https_required")):
    ran += 1
    try:
        sealpost.Client(server, str(home(False)), KIT)
        wrong.append(f"{server} was accepted")
    except p.Failure as failure:
        if failure.code != code:
            wrong.append(f"{server}: {failure.code}")

shutil.rmtree(SCRATCH)
for line in wrong:
    print(line)
print(f"{ran} cases, {len(wrong)} wrong")
sys.exit(1 if wrong or not ran else 0)
