"""Receives files from a Sealpost server: `sealpost.py --server URL --kit FILE list | download FILE_ID -o PATH`.

An independent second implementation of docs/protocol.md; protocol.py and log.py hold the checks. FILE is a recovery
kit: the JSON that `sealpost join --json` prints, or a text with the 24 words and, on a line of its own, the
organisation. It is the key to the account: keep it at mode 0600. Beside it, FILE.pins keeps what was seen, so that
a server can't go back behind it, and receipts that are not sent yet.

Ends with 0; 1 if something failed or was refused; 2 if the command line is wrong.
"""
import argparse, http.client, json, os, re, secrets, sys, tempfile, time, urllib.error, urllib.parse, urllib.request
from contextlib import suppress
from types import SimpleNamespace

from protocol import (ENVELOPE_HEADER, PART, Account, Parts, Refused, email_address, kit_code, kit_seed, open_metadata,
                      open_vault, record_id, require, sha256, to_base64, unbase64, verify, verify_subject)
from log import Log, Pair, open_share, verify_receipt, verify_share

MAX_ANSWER, TIMEOUT, PAGE, LOG_PAGE = 64 << 20, 60, 100, 1000  # bytes of JSON, seconds, entries, entries


class Failed(Exception):
    """Anything that is not a broken proof: network, status, files."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token goes to the server that was named, and to no other."""

    def redirect_request(self, *_):
        return None


class Server:
    """Plain HTTP calls; nothing that comes back is verified here."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise Failed("The server must be an https:// address.")
        self.url, self.token, self.renew = url.rstrip("/"), None, None
        self.opener = urllib.request.build_opener(NoRedirects)

    def open(self, method, path, body=None, headers=(), again=True):
        headers = {"sealpost-api": "1", "content-type": "application/json", **dict(headers)}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        if self.token:
            request.add_header("authorization", f"Bearer {self.token}")
        try:
            return self.opener.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code == 401 and self.token and self.renew and again:
                self.token = None
                self.renew()
                return self.open(method, path, body, headers, again=False)
            raise Failed(f"The server refused: {problem(error)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"The server can't be reached: {error}") from None

    def call(self, method, path, body=None, headers=()):
        with self.open(method, path, body, headers) as response:
            text = response.read(MAX_ANSWER + 1)
        if len(text) > MAX_ANSWER:
            raise Failed("The server's answer is too long.")
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError):
            raise Failed("The server's answer is not JSON.") from None

    def pages(self, path):
        cursor = ""
        while cursor is not None:
            page = self.call("GET", f"{path}?limit={PAGE}" + (cursor and f"&cursor={urllib.parse.quote(cursor)}"))
            yield from page["items"]
            cursor = page.get("next_cursor")


def problem(error):
    """What a problem document says, without what could drive a terminal."""
    try:
        said = json.loads(error.read(65536))
        return printable(f"{said.get('detail') or said.get('title')} ({said.get('code')})")[:500]
    except (ValueError, AttributeError, OSError):
        return f"HTTP status {error.code}"


def printable(text):
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def read_kit(path):
    """(org_id, account)"""
    with open(path, encoding="utf-8") as file:
        text = file.read(65536)
    try:
        kit = json.loads(text)
        kit = kit.get("recovery_kit", kit)
        words, organisation = kit["words"], kit["organisation"]
    except ValueError:
        code = re.search(r"(?im)^\s*(?:organisation)?[\s:]*((?:[0-9a-z]{4}[- ]?){14})\s*$", text)
        require(code, "kit_code_mistyped")
        organisation = code.group(1)
        words = re.sub(r"(?im)^.*(account key|kit:).*$", "", text.replace(code.group(0), ""))
    return kit_code(organisation, 32).hex(), Account(kit_seed(words))


class Pins:
    """What was seen before: by this script, in a file beside the kit, and by the account's devices, in the vault."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, encoding="utf-8") as file:
                self.state = json.load(file)
        except FileNotFoundError:
            self.state = {"log": {"size": 0, "head": ""}, "credential": None, "vault": 0, "pairs": {}, "files": {},
                          "receipts": []}
        except ValueError:
            raise Failed(f"{path} is damaged.") from None

    def merge(self, vault):
        require(vault["version"] >= self.state["vault"], "vault_rollback")
        self.state["vault"], pins = vault["version"], vault["pins"]
        if pins["log"]["size"] > self.state["log"]["size"]:
            self.state["log"] = {"size": pins["log"]["size"], "head": pins["log"]["head"]}
        for kind in ("pairs", "files"):
            for key, pin in pins[kind].items():
                self.raise_to(kind, key, pin["sequence"], pin["head"])

    def raise_to(self, kind, key, sequence, head):
        known = self.state[kind].get(key, {"sequence": 0})
        require(sequence != known["sequence"] or head == known["head"], f"vault_conflict_{kind[:-1]}")
        if sequence > known["sequence"]:
            self.state[kind][key] = {"sequence": sequence, "head": head}

    def save(self):
        folder = os.path.dirname(os.path.abspath(self.path))
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, self.path)


class Recipient:
    """A signed-in account, with its verified log."""

    def __init__(self, server, org_id, account, pins):
        self.server, self.org_id, self.account, self.pins = server, org_id, account, pins
        self.log, self.pairs = None, {}
        server.renew = self.sign_in
        self.check_credential(self.sign_in())
        self.open_vault()
        self.sync()
        require(account.user_id in self.log.people, "account_pending")
        me = self.log.active(account.user_id)
        require(me, "account_ended")
        require(me.generations[-1].bundle.id == account.bundle_id, "admission_bundle")
        pins.save()
        self.send_receipts()

    # --- §9, §3.4, §3.5 ---

    def sign_in(self):
        key = {"signing_key": to_base64(self.account.signing_key)}
        challenge = self.server.call("POST", "/auth/key/challenge", key)
        require(challenge["org_id"] == self.org_id, "foreign_organisation")
        self.account.identify(self.org_id, challenge["user_id"], challenge["generation"])
        login = self.account.sign_as_author("login", nonce=challenge["nonce"], time=int(time.time()))
        session = self.server.call("POST", "/auth/key", {"login": login})
        self.server.token = session["tokens"]["access_token"]
        return session["account"]

    def check_credential(self, view):
        credential = verify("credential", view["credential"], self.account.signing_key)
        mine = (self.org_id, self.account.user_id, self.account.bundle_id, self.account.generation)
        said = (credential.org_id, credential.signer, credential.signer_bundle, credential.generation)
        require(said == mine, "credential_signer")
        envelope = unbase64(view["envelope"])
        require(len(envelope) == 193 and sha256(envelope) == credential.envelope, "credential_envelope")
        user_id, generation, suite, epoch, flag = ENVELOPE_HEADER.unpack(envelope[:ENVELOPE_HEADER.size])
        require((user_id.hex(), generation, suite) == (mine[1], mine[3], 1), "credential_envelope")
        require(epoch == credential.epoch, "credential_epoch")
        require(flag == credential.account_key, "credential_account_key")
        self.credential = {"sequence": credential.epoch, "head": credential.id}

    def open_vault(self):
        view = self.server.call("GET", "/account/vault")
        sealed = unbase64(view["blob"])
        vault = open_vault(sealed, self.account.vault_key, self.org_id, self.account.user_id, view["version"])
        self.pins.merge(vault)
        for known in (vault["pins"]["credential"], self.pins.state["credential"]):
            if known:
                require(self.credential["sequence"] >= known["sequence"], "credential_rollback")
                same_epoch = self.credential["sequence"] == known["sequence"]
                require(not same_epoch or self.credential == known, "credential_conflict")
        self.pins.state["credential"] = self.credential

    # --- §5.2 ---

    def sync(self):
        while True:
            page = self.server.call("GET", f"/log?from={self.log.size if self.log else 0}&limit={LOG_PAGE}")
            for entry in page["entries"]:
                if self.log is None:
                    self.log = Log(entry["record"], entry.get("bundle"))
                    require(self.log.org_id == self.org_id, "foreign_organisation")
                else:
                    self.log.apply(entry["record"], entry.get("bundle"))
            require(self.log, "log_incomplete")
            if len(page["entries"]) < LOG_PAGE:
                break
        self.log.accept_checkpoint(page["checkpoint"])
        pin = self.pins.state["log"]
        require(pin["size"] <= self.log.size, "log_rollback")
        require(not pin["size"] or self.log.heads[pin["size"] - 1] == pin["head"], "log_fork")
        self.pins.state["log"] = {"size": self.log.size, "head": self.log.head}

    def addresses(self):
        """Verified addresses of the people that the server names."""
        found = {}
        for member in self.server.pages("/members"):
            opening = SimpleNamespace(**member["opening"])
            person = self.log.people.get(opening.user_id)
            if person:
                verify_subject(opening, person.subject)
                found[opening.user_id] = email_address(opening.email)
        return found

    # --- §8 ---

    def verified(self, view):
        """Steps 3 to 8, over what the server says about one file. The log may have grown since it was synced."""
        try:
            share = verify_share(view["share"], view["manifest"], self.log, self.account.user_id)
        except Refused as refused:
            if refused.code not in ("log_behind", "position_unproven", "signer_unknown", "signer_bundle_unknown"):
                raise
            self.sync()
            share = verify_share(view["share"], view["manifest"], self.log, self.account.user_id)
        context = share.context
        require((context.file_id, context.version) == (view["file_id"], view["version"]), "share_manifest_mismatch")
        self.check_version(share.manifest)
        pair = self.pair(context.sender, context.pair_sequence)
        require(pair.live.get(context.file_id) == share.id, "share_not_in_force")
        content_key, metadata_key, place = open_share(share, self.account)
        sealed = unbase64(view["metadata"])
        metadata = open_metadata(sealed, metadata_key, place, share.manifest)
        self.pins.raise_to("files", context.file_id, context.version, share.manifest.id)
        self.pins.save()
        return SimpleNamespace(share=share, content_key=content_key, metadata=metadata)

    def check_version(self, manifest):
        """§7.3: never back, and forward only along `previous`."""
        pin = self.pins.state["files"].get(manifest.file_id)
        places = ((manifest.version, manifest.id), (manifest.version - 1, manifest.previous))
        require(not pin or (pin["sequence"], pin["head"]) in places, "manifest_previous")

    def pair(self, sender, sequence):
        """§7.5: what `sender` shared with this account, at least up to `sequence`."""
        pair = self.pairs.setdefault(sender, Pair(sender, self.account.user_id))
        key = f"{sender}:{self.account.user_id}"
        pin = self.pins.state["pairs"].get(key, {"sequence": 0})
        while pair.sequence < max(sequence, pin["sequence"], 1):
            page = self.server.call("GET", f"/pairs/{sender}?direction=received&after={pair.sequence}&limit={PAGE}")
            require(page["records"], "pair_gap")
            for raw in page["records"]:
                pair.apply(raw, self.log)
                require(pair.sequence != pin["sequence"] or pair.head == pin["head"], "pair_conflict")
        self.pins.raise_to("pairs", key, pair.sequence, pair.head)
        return pair

    def files(self):
        """Every file shared with this account, or why it is refused: (file_id, file, code)."""
        for view in self.server.pages("/files/shared"):
            try:
                yield view["file_id"], self.verified(view), None
            except Refused as refused:
                yield view["file_id"], None, refused.code

    def download(self, file_id, path):
        if os.path.lexists(path):
            raise Failed(f"{path} exists.")
        ticket = secrets.token_hex(16)
        headers = {"sealpost-ticket": ticket}
        view = self.server.call("GET", f"/files/{file_id}", headers=headers)
        require(view["file_id"] == file_id, "share_manifest_mismatch")
        file = self.verified(view)
        parts = Parts(file.share.manifest, self.digests(file.share.manifest))
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(os.path.abspath(path)), prefix=".sealpost-") as temporary:
            self.receive(file, parts, headers, temporary)
            temporary.flush()
            os.fsync(temporary.fileno())
            receipt = self.receipt(file, ticket)
            # Unlike a rename this never takes the place of a file that is there.
            os.link(temporary.name, path)
        self.send_receipts()
        return file, receipt

    def digests(self, manifest):
        count, found = -(-manifest.length // PART), b""
        while len(found) < 32 * count:
            at = len(found) // 32
            page = self.server.call("GET", f"/files/{manifest.file_id}/versions/{manifest.version}/parts?from={at}")
            more = unbase64(page["digests"])
            require(more and len(more) % 32 == 0, "part_count")
            found += more
        return [found[at:at + 32] for at in range(0, len(found), 32)]

    def receive(self, file, parts, headers, out):
        """§8, step 9: each part is checked before any of it is opened."""
        path = f"/files/{file.share.context.file_id}/download"
        with self.server.open("GET", path, headers=headers) as response:
            for index in range(len(parts.digests)):
                try:
                    sealed = response.read(parts.part_length(index))
                except (OSError, http.client.HTTPException) as error:
                    raise Failed(f"The connection broke: {error}") from None
                out.write(parts.open(index, sealed, file.content_key, file.metadata.size))

    # --- §7.6 ---

    def receipt(self, file, ticket):
        """Signed and stored before the file is in its place, sent afterwards."""
        share = file.share
        raw = self.account.sign_as_author("receipt", share=share.id, manifest=share.manifest.id,
                                          time=int(time.time()), **self.log.position())
        verify_receipt(raw, self.log, share.id, share.manifest.id, self.account.user_id)
        self.pins.state["receipts"].append({"file_id": share.context.file_id, "ticket": ticket, "receipt": raw})
        self.pins.save()
        return record_id(raw)

    def send_receipts(self):
        """Also those that an earlier run could not send; the server takes each once."""
        while self.pins.state["receipts"]:
            next_one = self.pins.state["receipts"][0]
            self.server.call("POST", f"/files/{next_one['file_id']}/receipt", {"receipt": next_one["receipt"]},
                             {"sealpost-ticket": next_one["ticket"]})
            del self.pins.state["receipts"][0]
            self.pins.save()


def arguments():
    parser = argparse.ArgumentParser(description="Receives files from a Sealpost server.")
    parser.add_argument("--server", required=True, help="https://host[:port]")
    parser.add_argument("--kit", required=True, help="file with the recovery kit")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="one JSON line for each file")
    download = commands.add_parser("download", help="fetches one file, verified whole or not at all")
    download.add_argument("file_id", type=re.compile("[0-9a-f]{32}").fullmatch)
    download.add_argument("-o", "--output", required=True, metavar="PATH")
    return parser.parse_args()


def described(file, sender):
    metadata = file.metadata
    return {"file_id": file.share.context.file_id, "version": file.share.context.version, "name": metadata.name,
            "size": metadata.size, "media_type": metadata.media_type, "note": metadata.note, "from": sender,
            "sender_left": file.share.standing == "left"}


def run(args):
    org_id, account = read_kit(args.kit)
    server = Server(args.server)
    recipient = Recipient(server, org_id, account, Pins(args.kit + ".pins"))
    refused = False
    try:
        senders = recipient.addresses()
        if args.command == "download":
            file, receipt = recipient.download(args.file_id.group(), args.output)
            sender = senders.get(file.share.context.sender)
            print(json.dumps({**described(file, sender), "path": args.output, "receipt": receipt}))
        else:
            for name, file, code in recipient.files():
                sender = file and senders.get(file.share.context.sender)
                print(json.dumps(described(file, sender) if file else {"file_id": name, "refused": code}))
                refused |= file is None
    finally:
        server.renew = None
        with suppress(Failed):  # an outcome is not undone by a session that ends by itself later
            server.call("POST", "/auth/logout")
    return 1 if refused else 0


def main():
    try:
        return run(arguments())
    except Refused as refused:
        print(f"error: {refused.code}: what the server returned does not verify, nothing was written", file=sys.stderr)
    except (Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except (KeyError, TypeError, AttributeError):
        print("error: malformed: the server's answer has not the form that it must have", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
