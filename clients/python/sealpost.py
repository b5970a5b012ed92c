#!/usr/bin/env python3
"""A Sealpost client for recipients: lists, verifies and downloads what was shared with an account.

Written from docs/protocol.md alone; § names its sections. What a server answers is neither shown nor kept nor
acted on before protocol.py has verified it. Here is what only this account and device can know: its keys, what
it has pinned, and the order of things.
"""

import argparse, contextlib, copy, fcntl, http.client, json, os, re, secrets, sys, tempfile, time
import unicodedata, urllib.parse

import protocol as p
import sealed
from protocol import Failure, b64, require, sha256, unb64

MAX_ANSWER = 64 << 20
EXITS = {401: 3, 403: 5, 404: 4, 410: 4, "https_required": 2, "no_connection": 6, "file_exists": 8}
SOMETHING_ELSE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def check_credential(wire, envelope, key, author, generation):
    """§3.4, against the account's own keys; the envelope stays closed."""
    record = p.open_record(wire, "credential", key)
    mine = dict(author, generation=generation).items()
    require(credential_signer=mine <= vars(record).items(), credential_epoch=record.epoch >= 1)
    require(credential_previous=p.is_link(record.epoch, record.previous))
    require(credential_envelope=len(envelope) == 193 and sha256(envelope) == record.envelope)
    numbers = b"".join(number.to_bytes(8) for number in (generation, 1, record.epoch))
    header = bytes.fromhex(record.signer) + numbers + bytes([record.account_key])
    require(credential_account_key=envelope[:41] == header)
    return {"sequence": record.epoch, "head": record.id}


def check_opening(opening, subject):
    """§4.4"""
    texts = [opening[text].encode() for text in ("email", "name")]
    require(name_too_long=len(texts[1]) <= 256)
    sized = [len(text).to_bytes(2) + text for text in texts]
    opened = sha256(p.label("subject"), bytes.fromhex(opening["salt"] + opening["user_id"]), *sized)
    require(opening_mismatch=opened == subject)


def safe_name(name, otherwise):
    """A name that no disk and no terminal takes for anything else."""
    strange = {c for c in name if c in '/\\:*?"<>|' or unicodedata.category(c)[0] in "CZ"} - {" "}
    name = "".join("_" if c in strange else c for c in name).encode()[:200].decode(errors="ignore")
    return name.lstrip(" .-").rstrip(" .") or otherwise


@contextlib.contextmanager
def whole_file(path, put):
    """`path` appears with all that is written, durably, or not at all; `put` is os.replace or os.link."""
    folder = os.path.dirname(os.path.abspath(path))
    with tempfile.TemporaryDirectory(prefix=".sealpost-", dir=folder) as temporary:
        with open(os.path.join(temporary, "file"), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        put(file.name, path)
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


def network(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, http.client.HTTPException):
        raise Failure("no_connection") from None


class Client:
    """One account at one server, and what this device has pinned about both in the folder `home`."""

    def __init__(self, server, home, kit):
        self.server, self.renew_at = urllib.parse.urlsplit(server), 0
        local = self.server.hostname in ("127.0.0.1", "::1", "localhost")
        require(https_required=self.server.scheme == "https" or self.server.scheme == "http" and local)
        with open(kit) as file:
            kit = json.load(file)
        kit = kit.get("recovery_kit", kit)  # so `sealpost join --json` has it
        self.org_id, self.keys = (
            sealed.read_code(kit["organisation"], 32).hex(),
            sealed.AccountKeys(sealed.read_words(kit["words"])),
        )
        self.log, self.pairs = p.Log(self.org_id), {}
        os.makedirs(home, 0o700, exist_ok=True)
        self.lock = open(os.path.join(home, "lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.path = os.path.join(home, "state.json")
        self.state = {"log": [], "credentials": {}, "pairs": {}, "files": {}, "downloads": {}}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.state = json.load(file)
        for entry in self.state["log"]:
            self.log.apply(entry["record"], entry["bundle"])
        require(log_fork="fork" not in self.state)

    def save(self):
        with whole_file(self.path, os.replace) as file:
            file.write(json.dumps(self.state).encode())

    def request(self, method, path, body=None, signed_in=True, **headers):
        """The answer to a request of §9.1, still to be read. Redirects are failures."""
        headers |= {"Connection": "close"} | ({"Content-Type": "application/json"} if body else {})
        if signed_in:
            if time.monotonic() > self.renew_at:
                self.sign_in()
            headers["Authorization"] = "Bearer " + self.token
        https = self.server.scheme == "https"
        connection = (http.client.HTTPSConnection if https else http.client.HTTPConnection)(
            self.server.netloc, timeout=60
        )
        path = self.server.path.rstrip("/") + path
        network(connection.request, method, path, body and json.dumps(body), headers)
        answer = network(connection.getresponse)
        if answer.status >= 300:
            try:
                code = json.loads(network(answer.read, 65_536))["code"]
            except (ValueError, LookupError, TypeError):
                code = f"http_{answer.status}"
            raise Failure(ascii(code)[1:-1], answer.status)
        return answer

    def ask(self, *request, **options):
        text = network(self.request(*request, **options).read, MAX_ANSWER)
        return json.loads(text) if text else None

    def items(self, path):
        cursor = ""
        while cursor is not None:
            page = self.ask("GET", f"{path}?limit=100{cursor}")
            yield from page["items"]
            after = page.get("next_cursor")
            cursor = after and "&cursor=" + urllib.parse.quote(after)

    def sign_in(self):
        """§9, with the account's key: the bundle that this seed gives says as whom."""
        public = {"signing_key": b64(self.keys.signing_public)}
        challenge = self.ask("POST", "/auth/key/challenge", public, signed_in=False)
        require(foreign_organisation=challenge["org_id"] == self.org_id)
        user_id, generation = challenge["user_id"], challenge["generation"]
        require(other_account=self.state.get("user_id", user_id) == user_id)
        me = dict(public, org_id=self.org_id, user_id=user_id, kem_key=b64(self.keys.kem_public))
        bundle = p.self_signed(self.keys.sign("bundle", suite=1, generation=generation, **me), "bundle")
        self.user_id, self.bundle_id = user_id, bundle.id
        self.author = {"org_id": self.org_id, "signer": user_id, "signer_bundle": bundle.id}
        login = self.keys.sign("login", **self.author, nonce=challenge["nonce"], time=int(time.time()))
        answer = self.ask("POST", "/auth/key", {"login": login}, signed_in=False)
        account, tokens = answer["account"], answer["tokens"]
        require(other_account=account["user_id"] == user_id)
        self.token, self.renew_at = tokens["access_token"], time.monotonic() + tokens["access_expires_in"] / 2
        envelope, key = unb64(account["envelope"]), self.keys.signing_public
        self.credential = check_credential(account["credential"], envelope, key, self.author, generation)
        self.check_credential_pin(self.state["credentials"].get(user_id))
        self.state["credentials"][user_id] = self.credential

    def check_credential_pin(self, pin):
        epoch, known = self.credential["sequence"], pin["sequence"] if pin else 0
        require(credential_rollback=epoch >= known)
        require(credential_conflict=epoch > known or self.credential == pin)

    def sync(self):
        """§5.2. What does not verify up to the checkpoint changes nothing."""
        log, new, more = copy.deepcopy(self.log), [], True
        while more:
            page = self.ask("GET", f"/log?from={len(log.ids)}&limit=1000")
            for entry in page["entries"]:
                log.apply(entry["record"], entry.get("bundle"))
                new.append({"record": entry["record"], "bundle": entry.get("bundle")})
            size = p.open_record(page["checkpoint"], "checkpoint").log_size
            more = page["entries"] and len(log.ids) < size
        log.check_checkpoint(page["checkpoint"])
        self.log, self.pairs, self.me = log, {}, log.people.get(self.user_id)
        self.state["checkpoint"] = page["checkpoint"]
        self.state["log"] += new

    def enter(self):
        """Signs in, and finds itself in the vault's pins and in the log (§9)."""
        self.sign_in()
        answer = self.ask("GET", "/account/vault")
        version, blob = answer["version"], unb64(answer["blob"])
        vault = sealed.open_vault(self.keys.vault, self.org_id, self.user_id, version, blob)
        pin = {"version": version, "hash": sha256(blob)}
        old = self.state.setdefault("vault", pin)
        next_one = version == old["version"] + 1 and vault["previous"] == old["hash"]
        require(vault_rollback=pin == old or next_one or version > old["version"] + 1)
        self.sync()
        require(account_pending=self.me)
        require(admission_bundle=self.me.keys[-1].id == self.bundle_id)
        self.pinned, log = vault["pins"], vault["pins"]["log"]
        require(log_rollback=not log["size"] or self.log.ids[log["size"] - 1 : log["size"]] == [log["head"]])
        self.check_credential_pin(self.pinned["credential"])
        self.state.update(vault=pin, user_id=self.user_id)
        self.save()

    def pins(self, kind, name):
        """What this device and, without having checked it here, the vault have pinned: both bind (§9)."""
        return [pins[kind][name] for pins in (self.state, self.pinned) if name in pins[kind]]

    def history(self, sender, place):
        """The pair's records as far as the server has them, and no fewer than are pinned (§7.5)."""
        pair, name = self.pairs.setdefault(sender, p.Pair(sender, self.user_id)), f"{sender}:{self.user_id}"
        more = len(pair.records) < place
        while more:
            after = len(pair.records)
            page = self.ask("GET", f"/pairs/{sender}?direction=received&after={after}&limit=100")
            for record in page["records"]:
                pair.add(self.log, record)
            more = page["records"] and len(pair.records) < page["newest"]
        for pin in self.pins("pairs", name):
            require(pair_rollback=len(pair.records) >= pin["sequence"])
            require(pair_conflict=not pin["sequence"] or pair.records[pin["sequence"] - 1].id == pin["head"])
        # Seen (§5.4 b) are the records that were seen to count here, and those before a share that counts today.
        counting = [n for n, record in enumerate(pair.records, 1) if self.log.leads(record)]
        pair.seen = max([0, self.state["pairs"].get(name, {}).get("counted", 0), *counting])
        return pair

    def open(self, file, file_id):
        """Steps 1 to 8 of §8, once more after a sync if a sender knew a newer log (§5.3)."""
        try:
            return self.verified(file, file_id)
        except Failure as failure:
            if failure.code not in ("log_behind", "position_unproven"):
                raise
        self.sync()
        self.save()
        return self.verified(file, file_id)

    def verified(self, file, file_id):
        def seen(share):
            return share.pair_sequence <= self.history(share.signer, share.pair_sequence).seen

        manifest = self.log.author(file["manifest"], "manifest")
        require(other_file=(manifest.file_id, manifest.version) == (file_id, file["version"]))
        share = p.check_share(self.log, self.me, file["share"], manifest, seen)
        self.check_version(manifest)
        pair = self.history(share.signer, share.pair_sequence)
        require(share_not_in_force=pair.live.get(file_id) == share.id)
        content_key, metadata_key = sealed.open_share(self.keys.kem, self.bundle_id, share)
        where = sealed.place(self.org_id, file_id, manifest.version)
        metadata = sealed.open_metadata(metadata_key, where, unb64(file["metadata"]), manifest)
        newest = {"sequence": len(pair.records), "head": pair.records[-1].id, "counted": pair.seen}
        self.state["pairs"][f"{share.signer}:{self.user_id}"] = newest
        pin = {"version": manifest.version, "head": manifest.id, "owner": manifest.signer}
        self.state["files"][file_id] = pin
        self.save()
        return manifest, share, content_key, metadata

    def check_version(self, manifest):
        """§7.3, against what is pinned; only a device's pin knows the owner."""
        path = f"/files/{manifest.file_id}/manifests"
        for pin in self.pins("files", manifest.file_id):
            p.check_version(self.log, manifest, pin, lambda: self.ask("GET", path)["manifests"])

    def senders(self):
        """Verified addresses by user_id (§4.4)."""
        openings = [member["opening"] for member in self.items("/members")]
        for opening in openings:
            require(opening_unknown=opening["user_id"] in self.log.people)
            check_opening(opening, self.log.people[opening["user_id"]].subject)
        return {opening["user_id"]: opening["email"] for opening in openings}

    def listed(self, file, file_id, senders):
        manifest, share, _, metadata = self.open(file, file_id)
        text = {name: unb64(vars(metadata)[name]).decode() for name in ("name", "note")}
        terms = {name: vars(share)[name] for name in ("time", "expiry", "standing")}
        sender = {"sender": share.signer, "from": senders.get(share.signer)}
        return {"file_id": file_id, **text, "size": metadata.size, **terms, **sender}

    def download(self, file, file_id, target, again):
        """Steps 9 to 12 of §8. Ticket and receipt are kept until the receipt was taken (§9.1)."""
        manifest, share, content_key, metadata = self.open(file, file_id)
        job = self.state["downloads"].setdefault(share.id, {})
        if "receipt" in job and "ticket" not in job and not again:
            return None
        if not os.path.exists(job.get("path", "")):  # else the last run got no further than that
            if os.path.isdir(target):
                target = os.path.join(target, safe_name(unb64(metadata.name).decode(), file_id))
                target += "." + file_id if os.path.lexists(target) else ""
            require(file_exists=not os.path.lexists(target))
            job.setdefault("ticket", secrets.token_hex(16))
            self.save()
            with whole_file(target, os.link) as out:
                self.fetch(manifest, content_key, metadata.size, job["ticket"], out)
                head, signature = self.log.ids[-1], self.state["checkpoint"]["signature"]
                position = {"log_size": len(self.log.ids), "log_head": head, "log_sig": signature}
                named = {"share": share.id, "manifest": manifest.id, "time": int(time.time())}
                if "receipt" not in job:
                    job["receipt"] = self.keys.sign("receipt", **self.author, **named, **position)
                job["path"] = os.path.abspath(target)
                self.save()
        ticket = {"sealpost-ticket": job["ticket"]}
        self.ask("POST", f"/files/{file_id}/receipt", {"receipt": job["receipt"]}, **ticket)
        path = job.pop("path")
        del job["ticket"]
        self.save()
        return {"file_id": file_id, "path": path, "size": metadata.size}

    def fetch(self, manifest, content_key, size, ticket, out):
        """Writes what every part is verified and opened to (§7.1)."""
        file, digests = f"/files/{manifest.file_id}", []
        while len(digests) < len(p.part_sizes(manifest.length)):
            page = self.ask("GET", f"{file}/versions/{manifest.version}/parts?from={len(digests)}")
            page = unb64(page["digests"])
            require(part_count=page)
            digests += [page[start : start + 32] for start in range(0, len(page), 32)]
        sizes = sealed.check_part_list(digests, manifest.length, manifest.digest)
        headers = {"sealpost-ticket": ticket, "If-Match": f'"{manifest.digest}"'}
        answer = self.request("GET", f"{file}/download", **headers)
        for index, length in enumerate(sizes):
            part = network(answer.read, length)
            require(no_connection=len(part) == length)
            for chunk in sealed.open_part(content_key, digests, sizes, size, index, part):
                out.write(chunk)


def tell(error, of="failed"):
    """Says in one line what failed, and gives the exit code: every error ends here."""
    code, exit_code = f"{error}", 8
    if isinstance(error, Failure):
        code, exit_code = error.code, EXITS.get(error.code, 7)
        if isinstance(error.detail, int):
            exit_code = EXITS.get(error.detail, 6)
        code += " (docs/protocol.md §10 says what it means)" if exit_code == 7 else ""
    elif isinstance(error, SOMETHING_ELSE):
        code, exit_code = f"no answer of a Sealpost server: {error!a}", 6
    print(f"sealpost.py: {of}: {code}", file=sys.stderr)
    return exit_code


def run(client, arguments):
    """The exit code. A fork blocks this home from now on, and both signed states are kept (§5.3)."""
    try:
        return run_on_files(client, arguments)
    except Failure as failure:
        if failure.code == "log_fork":
            client.state["fork"] = failure.detail
            client.save()
        raise


def run_on_files(client, arguments):
    """A file that fails stops no other, unless the server shows two histories."""
    client.enter()
    file_id, worst = getattr(arguments, "file_id", None), 0
    files = [client.ask("GET", f"/files/{file_id}")] if file_id else client.items("/files/shared")
    senders = client.senders() if arguments.command == "list" else {}
    for file in files:
        try:
            if arguments.command == "list":
                done = client.listed(file, file["file_id"], senders)
            else:
                done = client.download(file, file_id or file["file_id"], arguments.target, bool(file_id))
            if done:
                print(json.dumps(done))
        except Failure as failure:
            if failure.code == "log_fork":
                raise
            worst = max(worst, tell(failure, ascii(file["file_id"])))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("server", "home", "kit"):
        parser.add_argument(f"--{name}", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    download = commands.add_parser("download")
    download.add_argument("file_id")
    download.add_argument("-o", dest="target", default=".", metavar="PATH")
    commands.add_parser("download-all").add_argument("target", metavar="folder")
    arguments = parser.parse_args()
    if not re.fullmatch("[0-9a-f]{32}", getattr(arguments, "file_id", p.NOBODY)):
        parser.error("a FILE_ID is 32 hex digits")
    client = None
    try:
        client = Client(arguments.server, arguments.home, arguments.kit)
        return run(client, arguments)
    except (OSError, *SOMETHING_ELSE) as error:
        return tell(error)
    except KeyboardInterrupt:
        return 130
    finally:
        with contextlib.suppress(*SOMETHING_ELSE):
            if client and client.renew_at:
                client.ask("POST", "/auth/logout")


if __name__ == "__main__":
    sys.exit(main())
