"""Invented texts for redaction: secrets in the forms their makers give them, and what only looks like personal data.

Secrets are put together from pieces, so that no scanner takes this file for a leak. All are drawn from a fixed seed.
"""

import base64
import random
import string
from collections.abc import Iterator

LETTERS = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = string.digits + "abcdef"
URL_SAFE = LETTERS + "-_"
FORMS: dict[str, tuple[str, str, int, str]] = {
    "aws key": ("AK", "IA", 16, UPPER),
    "aws session": ("AS", "IA", 16, UPPER),
    "alibaba": ("LT", "AI", 20, LETTERS),
    "google api": ("AI", "za", 35, URL_SAFE),
    "google client": ("GOC", "SPX-", 28, URL_SAFE),
    "google access": ("ya", "29.", 60, URL_SAFE),
    "openai": ("sk", "-", 48, LETTERS),
    "openai project": ("sk-", "proj-", 60, URL_SAFE),
    "anthropic": ("sk-", "ant-api03-", 80, URL_SAFE),
    "openrouter": ("sk-", "or-v1-", 64, HEX),
    "groq": ("gs", "k_", 52, LETTERS),
    "xai": ("xa", "i-", 80, LETTERS),
    "perplexity": ("ppl", "x-", 48, LETTERS),
    "replicate": ("r", "8_", 37, LETTERS),
    "hugging face": ("h", "f_", 34, LETTERS),
    "github": ("gh", "p_", 36, LETTERS),
    "github app": ("gh", "s_", 36, LETTERS),
    "github fine": ("github", "_pat_", 82, LETTERS + "_"),
    "gitlab": ("gl", "pat-", 20, URL_SAFE),
    "gitlab runner": ("gl", "rt-", 20, URL_SAFE),
    "atlassian": ("ATA", "TT3", 180, URL_SAFE),
    "slack bot": ("xo", "xb-", 50, LETTERS + "-"),
    "slack user": ("xo", "xp-", 60, LETTERS + "-"),
    "slack app": ("xa", "pp-1-", 60, UPPER + "-"),
    "stripe": ("sk", "_live_", 24, LETTERS),
    "stripe test": ("sk", "_test_", 24, LETTERS),
    "stripe restricted": ("rk", "_live_", 24, LETTERS),
    "stripe webhook": ("wh", "sec_", 32, LETTERS),
    "razorpay": ("rzp", "_live_", 14, LETTERS),
    "square": ("sq0", "csp-", 43, URL_SAFE),
    "shopify": ("shp", "at_", 32, HEX),
    "twilio": ("S", "K", 32, HEX),
    "mailgun": ("ke", "y-", 32, HEX),
    "npm": ("np", "m_", 36, LETTERS),
    "pypi": ("py", "pi-AgEIcHlwaS5vcmc", 60, URL_SAFE),
    "rubygems": ("ruby", "gems_", 48, HEX),
    "docker": ("dck", "r_pat_", 27, URL_SAFE),
    "digitalocean": ("dop", "_v1_", 64, HEX),
    "databricks": ("da", "pi", 32, HEX),
    "doppler": ("dp", ".pt.", 43, LETTERS),
    "grafana": ("gls", "a_", 32, LETTERS),
    "vault": ("hv", "s.", 90, URL_SAFE),
    "pulumi": ("pu", "l-", 40, HEX),
    "linear": ("lin", "_api_", 40, LETTERS),
    "notion": ("nt", "n_", 46, LETTERS),
    "new relic": ("NR", "AK-", 27, UPPER),
    "postman": ("PM", "AK-", 24, HEX),
    "planetscale": ("psc", "ale_tkn_", 43, URL_SAFE),
    "supabase": ("sb", "p_", 40, HEX),
    "tailscale": ("ts", "key-auth-", 30, LETTERS),
    "figma": ("fi", "gd_", 40, URL_SAFE),
    "sentry": ("snt", "ryu_", 64, HEX),
}
"""By maker the two pieces of the prefix, how many letters follow, and which."""
TAILS = {"grafana": ("_", 8, HEX), "postman": ("-", 34, HEX)}
PLACES = (
    "{}",
    "The key is {} and it stopped working.",
    'client = Client("{}")',
    "export TOKEN={}",
    "curl -H 'Authorization: Bearer {}' api.internal/v1",
    '{{"key": "{}", "retries": 3}}',
    "ERROR 401 for {}: revoked",
    "Use `{}` until Friday.",
)
NAMES = (
    "password = '{}'",
    'DB_PASSWORD="{}"',
    "password: {}",
    '"password": "{}"',
    "The password is {}",
    "pwd={};",
    "api_key = '{}'",
    "API_KEY={}",
    '"client_secret": "{}"',
    "secret_access_key: {}",
    "X-Api-Key: {}",
    "auth_token => '{}'",
    "https://api.internal/v1/users?access_token={}",
    "private_key_id: '{}'",
)
"""Where a value is a secret only because a name says so."""
PASSWORDS = (
    "aK9#mQ2!vT",
    "Winter2024!Rome",
    "tr0ub4dor&3X",
    "Qw7$pLm9@z",
    "B!ueHorse42",
    "n0t-A-d0g?9",
    "Zx81*Spectrum",
    "8fK!2mNq",
)


def drawn(chance: random.Random, count: int, letters: str) -> str:
    """So many letters by lot, never all of one class."""
    return (
        "".join(chance.choice(letters) for _ in range(count - 2)) + "7" + chance.choice(letters.strip("-_") or letters)
    )


def of_makers(chance: random.Random) -> Iterator[tuple[str, str]]:
    """A text for each form, and the secret in it."""
    for number, (name, (first, second, count, letters)) in enumerate(FORMS.items()):
        value = first + second + drawn(chance, count, letters)
        if name in TAILS:
            mark, more, others = TAILS[name]
            value += mark + drawn(chance, more, others)
        for step in (0, 3):
            yield PLACES[(number + step) % len(PLACES)].format(value), value


def by_name(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Secrets without a form, behind a name that says what they are."""
    for number, place in enumerate(NAMES):
        for step in range(4):
            plain = "assw" in place or "pwd" in place
            value = PASSWORDS[(number + step) % len(PASSWORDS)] if plain else drawn(chance, 24 + 4 * step, LETTERS)
            yield place.format(value), value


def armoured(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Private keys, whole, with line ends as JSON writes them, and cut off."""
    for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "):
        head, tail = (f"-----{word} {kind}PRIVATE" + " KEY-----" for word in ("BEGIN", "END"))
        lines = [drawn(chance, 64, LETTERS + "+/") for _ in range(4)]
        yield "Here it is:\n" + "\n".join([head, *lines, tail]) + "\nThanks", lines[1]
        yield '{"key": "' + "\\n".join([head, *lines, tail]) + '"}', lines[2]
        yield "\n".join([head, *lines]) + "\n\nIt was cut off here.", lines[3]


def others(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Tokens, connection strings, webhooks and shared access signatures."""
    for algorithm in ("HS256", "RS256", "ES256"):
        parts = (f'{{"alg":"{algorithm}"}}', f'{{"sub":"{chance.randrange(10**9)}"}}')
        head, body = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
        token = ".".join((head, body, drawn(chance, 43, URL_SAFE)))
        yield f"Authorization: Bearer {token}", token
        yield f"The session {token} has expired.", token
    for scheme in (
        "postgres",
        "postgresql+psycopg2",
        "mysql",
        "mongodb+srv",
        "redis",
        "amqp",
        "https",
        "ftp",
        "smtp",
        "ldap",
    ):
        value = drawn(chance, 14, LETTERS)
        yield f"{scheme}://svc_app:{value}@db.corp.internal:5432/main?ssl=1", value
    for account in ("storage", "queue"):
        value = base64.b64encode(chance.randbytes(64)).decode()
        yield (
            f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={value};EndpointSuffix=core.internal",
            value,
        )
    value = base64.b64encode(chance.randbytes(32)).decode()
    yield f"Endpoint=sb://bus.internal/;SharedAccessKeyName=root;SharedAccessKey={value}", value
    hook = "/".join(("T" + drawn(chance, 10, UPPER), "B" + drawn(chance, 10, UPPER), drawn(chance, 24, LETTERS)))
    yield "post to https://hooks." + f"slack.com/services/{hook}", hook
    hook = f"{chance.randrange(10**17, 10**18)}/{drawn(chance, 68, URL_SAFE)}"
    yield "post to https://discord" + f".com/api/webhooks/{hook}", hook
    value = f"{chance.randrange(10**9, 10**10)}:AA" + drawn(chance, 33, URL_SAFE)
    yield f"bot token {value}", value
    value = "SG" + f".{drawn(chance, 22, URL_SAFE)}.{drawn(chance, 43, URL_SAFE)}"
    yield f"SENDGRID={value}", value
    value = drawn(chance, 32, HEX)
    yield f"mailchimp {value}-us14", value
    value = drawn(chance, 40, LETTERS + "+/")
    yield f"aws_secret_access_key = {value}", value
    value = drawn(chance, 20, LETTERS)
    yield f"curl -u admin:{value} https://ci.internal/job", value


def secrets() -> list[tuple[str, str]]:
    """Texts with a secret each, and the part that must be gone."""
    chance = random.Random(7)
    return [pair for make in (of_makers, by_name, armoured, others) for pair in make(chance)]


NEGATIVE = (
    "order {d9}",
    "order 4{d15}",
    "Order no. {d4}-{d4}-{d4}-{d4}",
    "invoice INV-{d4}-{d6}",
    "tracking 1Z{u6}{d10}",
    "tracking number {d12}",
    "parcel {d20} left the depot",
    "ticket #{d3}-{d3}-{d4}",
    "case {d8}",
    "SKU-{d3}-{d3}-{d4}",
    "part no. {d3}-{d3}-{d4}",
    "model {d4}-{d4}",
    "epoch 17{d8}",
    "epoch 17{d11}",
    "ts=17{d14}",
    "timestamp: 17{d8}.{d6}",
    "created 2026-05-{a}T12:34:56Z",
    "2026-05-{a} 23:59:59.{d6}",
    "{a}.05.2026 10:15",
    "05/{a}/2026",
    "on 2026-05-{a} and 2026-06-{a}",
    "20260{d1}{a}{a}3045",
    "between 19{a} and 20{a}",
    "19{a}-20{a}",
    "version {a}.{d1}.{d1}",
    "version 1.{d1}.{d2}.{d3}",
    "v{d1}.{d2}.{d3}.{d1}",
    "build {d2}.0.{d4}.{d2}",
    "release 10.{d1}.{d2}.{d2}",
    "Chrome/{a}.0.{d4}.{d2} is version {a}.0.{d4}.{d2}",
    "section {d1}.{d1}.{d1}.{d1}",
    "numpy=={d1}.{d2}.{d1}.{d1}",
    "firmware {d1}.{d2}.{d1}.{d1}",
    "sha256:{h64}",
    "commit {h40}",
    "md5 {h32}",
    'etag "{h32}"',
    "uuid {h8}-{h4}-4{h3}-a{h3}-{h12}",
    "trace {h16}",
    "0x{h16}",
    "blob {h40} {d4}",
    "integrity sha512-{b86}==",
    "ISBN 978-0-{d3}-{d5}-{d1}",
    "ISBN 978{d10}",
    "isbn: 0-{d3}-{d5}-X",
    "ISSN {d4}-{d4}",
    "EAN 40{d11}",
    "doi:10.{d4}/{d6}",
    "arXiv:{d4}.{d5}",
    "RFC {d4}",
    "PMID {d8}",
    "patent US {d7}",
    "x = {d16} * 3",
    "{d16} + {d15}",
    "2 ** 64 = 18446744073709551616",
    "What is 4539578763621486 * 3?",
    "4539578763621486 divided by 7",
    "the sum of 4539578763621486 and 12",
    "pow(4539578763621486, 2, 97)",
    "is 4539578763621486 prime?",
    "factorise 5425233430109903",
    "1 / 4539578763621486 = 0",
    "n = 4539578763621486 % 97",
    "{d4} {d4} {d4}",
    "3.{d16}",
    "-{d2}.{d7}, {d2}.{d7}",
    "lat {d2}.{d6} lon {d2}.{d6}",
    "{d1},{d3},{d3},{d3}",
    "{d1} {d3} {d3}",
    "$ {d1},{d3},{d3}.{d2}",
    "EUR {d3}.{d3},{d2}",
    "population {d1} {d3} {d3}",
    "{d3}-{d3}",
    "{d3} {d3}",
    "pages {d3}-{d3}",
    "{d2}:{d2}-{d2}:{d2}",
    "score {d1}-{d1}, {d2}-{d2}",
    "rgb({d3}, {d2}, {d2})",
    "#{h6}",
    "user@localhost",
    "@alice and @bob",
    "git@code.internal:team/repo.git",
    "react@18.2.0",
    "pkg@1.2.3-beta.4",
    "logo@2x.png",
    "getty@tty1.service",
    "@app.route('/x')",
    "a @ b.T",
    "5 @ 3.50",
    "127.0.0.1",
    "0.0.0.0:{d4}",
    "255.255.255.0",
    "{d1}.{d1}.{d1}",
    "1.2.3.4.5",
    "256.{d2}.1.1",
    "::1",
    "std::vector::at",
    "a::b::c",
    "12:34:56",
    "00:1a:2b:3c:4d:5e",
    "arr[1:2:3]",
    "000-12-{d4}",
    "666-12-{d4}",
    "9{d2}-12-{d4}",
    "{d3}-00-{d4}",
    "{d3}-12-0000",
    "{d5}-{d4}",
    "DE88 3704 0044 0532 0130 00",
    "GB00 NWBK 6016 1331 9268 19",
    "XX{d2} {d4} {d4} {d4}",
    "4111 1111 1111 1112",
    "0000 0000 0000 0000",
    "1234 5678 9012 3456",
    "9{d15}",
    "imei 49{d13}",
    "password = os.environ['DB_PASSWORD']",
    "password: ********",
    "password = getpass()",
    "PASSWORD=<your password>",
    "api_key = ''",
    "api_key=YOUR_API_KEY",
    "token = tokenizer.encode(text)",
    "secret: ${SECRET_NAME}",
    "token: {{ vault.token }}",
    "The password must have 8 characters",
    "reset your password in settings",
    "forgot password? use the link",
    "token count: {d5}",
    "max_tokens = {d4}",
    "key = 'name'",
    "secret_name = 'prod-db-secret'",
    "postgres://user:password@localhost/db",
    "https://example.org:8080/path",
    "https://host/path?page={d2}&sort=asc",
    "sk-learn",
    "sk-SK locale",
    "hf_hub_download",
    "AKIA is how they start",
    "ghp_ is the prefix",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    'eyJ is base64 of {{"',
    "bearer of bad news",
    "born in 19{a}",
    "Mozart was born on 27 January 1756",
    "Turing was born on 23 June 1912",
    "since 12/05/1998 in print",
    "published 14 March 2019",
    "chapter 7, verse 12",
    "flight LH {d4}",
    "IATA {d8}",
    "zip 9{d4}-{d4}",
    "account {d8}",
    "customer id {d9}",
    "port {d4}, pid {d5}",
    "thread {d10}",
    "{d6} rows in {d4} ms",
    "offset {d10}",
    "{d10} bytes",
    "error code {d7}",
    "line {d4}:{d2}",
    "size {d4}x{d4}",
    "ratio 16:9",
    "{d2}/{d2} tests",
    "{d2}%",
    "chr1:{d8}-{d8}",
    "MAC 001A2B3C4D5E",
)
"""Texts that hold no personal data; {d3} are three digits, h hexadecimal, u capitals, b base64, a from 10 to 28."""


def filled(template: str, chance: random.Random) -> str:
    """The template with what it asks for drawn by lot."""
    made, place = [], 0
    while (start := template.find("{", place)) >= 0 and template[start + 1 : start + 2] in "adhub":
        end = template.index("}", start)
        letter, count = template[start + 1], int(template[start + 2 : end] or 0)
        letters = {"d": string.digits, "h": HEX, "u": UPPER, "b": LETTERS + "+/"}.get(letter, "")
        drawn_now = (
            str(chance.randrange(10, 29)) if letter == "a" else "".join(chance.choice(letters) for _ in range(count))
        )
        made += [template[place:start], drawn_now]
        place = end + 1
    return "".join((*made, template[place:])).replace("{{", "{").replace("}}", "}")


def hard_negatives() -> list[str]:
    """At least 300 texts without personal data: each template twice, alone and in a sentence."""
    chance = random.Random(11)
    frames = ("{}", "We looked at {} again and closed it.")
    return [frames[turn].replace("{}", filled(template, chance)) for turn in (0, 1) for template in NEGATIVE]


def logs(count: int) -> list[str]:
    """Invented lines of logs."""
    chance = random.Random(13)
    forms = (
        "2026-05-{a}T12:{a}:{a}.{d3}Z INFO worker-{d2} processed batch {d8} in {d4} ms",
        "[{d10}] WARN cache miss for key user:{d7}:profile ttl={d4}",
        "May {a} 08:{a}:{a} node{d1} kernel: [{d5}.{d6}] usb 1-{d1}.{d1}: new high-speed device number {d2}",
        "ERROR request_id={h8}-{h4}-4{h3}-8{h3}-{h12} status=500 duration={d3}.{d2}ms",
        'DEBUG sha256={h64} size={d8} etag="{h32}"',
        "build #{d4} finished: commit {h40}, {d3} tests, 0 failures",
        "GET /api/v2/items/{d9}?page={d1}&limit={d2} 200 {d5}",
        "trace={h32} span={h16} parent={h16} sampled=1",
        "INFO upgraded driver from version 5.{d2}.{d3}.{d2} to version 5.{d2}.{d3}.{d2}",
        "gc pause {d1}.{d6}s heap {d10}->{d9} bytes",
        "order_id={d12} total={d3}.{d2} currency=EUR items={d1}",
        "kafka offset={d10} partition={d1} lag={d5} epoch={d2}",
        "token_count={d5} max_tokens={d4} model=small-{d1}b",
        "auth: password check failed for uid={d5}, attempt {d1} of 5",
        "job {d7} exit=0 started=17{d8} ended=17{d8}",
        "mem: {d7}K->{d7}K({d8}K), {d1}.{d7} secs",
    )
    return [filled(forms[number % len(forms)], chance) for number in range(count)]
