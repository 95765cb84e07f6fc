"""Secrets: keys and tokens in the forms their makers give them, private keys, credentials in addresses, and passwords.

The forms are those that secret scanners publish (gitleaks, detect-secrets) and the makers document. What has no form of its
own is a secret where a name says so (`api_key = "…"`) and the value looks drawn by lot: documentation's own are left.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator

from stages.text.patterns import Span, before, compiled, spans
from stages.text.personal_data.chance import Chance, like
from stages.text.personal_data.kinds import Rules

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FORMS = (
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",  # AWS
    r"ABSK[A-Za-z0-9+/]{40,}={0,2}|bedrock-api-key-[A-Za-z0-9+/]{28,}",
    rf"da2-[a-z0-9]{{26}}|amzn\.mws\.{UUID}",
    r"akab-[a-z0-9]{16}-[a-z0-9]{16}",  # Akamai
    r"LTAI[A-Za-z0-9]{12,20}",  # Alibaba Cloud
    r"AKID[A-Za-z0-9]{32}",  # Tencent Cloud
    r"AIza[A-Za-z0-9_\-]{35}",  # Google
    r"GOCSPX-[A-Za-z0-9_\-]{28}",
    r"ya29\.[A-Za-z0-9_\-]{20,}|1//0[A-Za-z0-9_\-]{40,}",
    r"[A-Za-z0-9_~.\-]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}",  # Microsoft Entra
    r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9]{26,30}|[A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{6}==",  # Azure
    r"sk-(?:ant-|proj-|svcacct-|admin-|or-v1-|lf-)?[A-Za-z0-9_\-]{20,}",  # OpenAI, Anthropic and others
    r"gsk_[A-Za-z0-9]{40,}",  # Groq
    r"xai-[A-Za-z0-9]{40,}",
    r"pplx-[A-Za-z0-9]{40,}",
    r"r8_[A-Za-z0-9]{30,}",  # Replicate
    r"nvapi-[A-Za-z0-9_\-]{60,}|tgp_v1_[A-Za-z0-9_\-]{40,}|llx-[A-Za-z0-9]{40,}|tvly-(?:dev-|prod-)?[A-Za-z0-9]{32,}",
    r"csk-[a-z0-9]{40,}|jina_[a-f0-9]{32}[A-Za-z0-9_\-]{20,}|e2b_[a-f0-9]{40}|fc-[a-f0-9]{32}",
    r"pcsk_[A-Za-z0-9_]{40,}",  # Pinecone
    r"lsv2_[a-z]{2}_[a-f0-9]{32}_[a-f0-9]{10}",  # LangSmith
    r"hf_[A-Za-z0-9]{30,}",
    r"api_org_[A-Za-z0-9]{30,}",
    r"gh[pousr]_[A-Za-z0-9]{36,}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{22,}|ghs_\d+_eyJ[A-Za-z0-9_\-.]{30,}",
    r"gl(?:pat|dt|rt|rtr|wt|cbt|oas|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_\-]{20,}",  # GitLab
    r"GR1348941[A-Za-z0-9_\-]{20,}|_gitlab_session=[0-9a-z]{32}",
    r"AT(?:ATT|CTT)3[A-Za-z0-9_\-=]{50,}|ATBB[A-Za-z0-9]{24}[A-F0-9]{8}|BBDC-[A-Za-z0-9_\-]{44}",  # Atlassian
    r"ATTA[a-f0-9]{64,}",  # Trello
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,}",  # Slack
    r"xapp-\d-[A-Za-z0-9\-]{20,}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,}",
    r"discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_\-]{50,}",
    r"[a-z0-9\-]{1,40}\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{60,}",
    r"[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}",  # Discord bots
    r"\d{8,10}:AA[A-Za-z0-9_\-]{32,34}",  # Telegram bots
    r"[rs]k_(?:live|test|prod)_[A-Za-z0-9]{10,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{20,}",
    r"rzp_(?:live|test)_[A-Za-z0-9]{14,}",  # Razorpay
    r"sq0[a-z]{3}-[A-Za-z0-9_\-]{22,}|EAAA[A-Za-z0-9_\-]{60}",  # Square
    r"access_token\$production\$[0-9a-z]{16}\$[0-9a-z]{32}",  # Braintree
    r"FLW(?:SECK|PUBK)(?:_TEST)?-[A-Za-z0-9]{12,}|shippo_(?:live|test)_[a-f0-9]{40}",
    r"EZ[AT]K[A-Za-z0-9]{54}",  # EasyPost
    r"duffel_(?:live|test)_[A-Za-z0-9_\-=]{43}",
    r"shp(?:at|ca|pa|ss|tka)_[A-Fa-f0-9]{32}",  # Shopify
    r"SK[0-9a-f]{32}",  # Twilio
    r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}",  # SendGrid
    r"key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}",  # Mailgun
    r"[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9_\-]{16}",  # Brevo
    r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",  # Resend
    rf"pat-(?:na|eu|ap)\d-{UUID}|sdk-{UUID}|waka_{UUID}|RGAPI-{UUID}",  # HubSpot, LaunchDarkly, WakaTime, Riot
    r"nyk_v0_[A-Za-z0-9_\-]{64}|dG9rO[A-Za-z0-9+/]{50,}={0,2}",  # Nylas, Intercom
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_\-]{50,}",
    r"rubygems_[a-f0-9]{48}",
    r"cio[A-Za-z0-9]{32}",  # crates.io
    r"oy2[a-z0-9]{43}",  # NuGet
    r"CLOJARS_[a-z0-9]{60}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{27,}|SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}|SWMKEY-1-[A-Za-z0-9+/]{43}",  # Docker
    r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[0-9a-f]{40}|bkua_[a-z0-9]{40}",  # CircleCI, Buildkite
    r"sq[apu]_[0-9a-f]{40}|cosmo_[0-9a-f]{32}|pnu_[A-Za-z0-9]{36}|aio_[A-Za-z0-9]{28}|tk-us-[A-Za-z0-9_\-]{48}",
    r"vc[aciprk]_[A-Za-z0-9]{56}|nf[bcopu]_[A-Za-z0-9]{36}|ph[acrsx]_[A-Za-z0-9]{40,}",  # Vercel, Netlify, PostHog
    r"sl\.(?:u\.)?[A-Za-z0-9_\-]{77,}|fio-u-[A-Za-z0-9_\-=]{64}",  # Dropbox, Frame.io
    r"dnkey-[A-Za-z0-9=_\-]{26}-[A-Za-z0-9=_\-]{52}|sha256~[A-Za-z0-9_\-]{43}|API-[A-Z0-9]{26}",  # OpenShift, Octopus
    r"p8e-[a-z0-9]{32}|s-s4t2(?:ud|af)-[a-f0-9]{64}|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",  # Adobe, 42, MaxMind
    r"t1\.[A-Za-z0-9_\-]{20,}={0,2}\.[A-Za-z0-9_\-]{86}|AQVN[A-Za-z0-9_\-]{35,38}|y0_[A-Za-z0-9_\-]{55,}",  # Yandex
    r"3MVG9[A-Za-z0-9_.]{60,}|00D[A-Za-z0-9]{12,15}![A-Za-z0-9._]{60,}",  # Salesforce
    r"do[opr]_v1_[a-f0-9]{64}",  # DigitalOcean
    r"HRKU-[A-Za-z0-9_\-]{36,}",  # Heroku
    r"dapi[a-f0-9]{32}",  # Databricks
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9.\-]{40,}",  # Doppler
    r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",  # Dynatrace
    r"glc_[A-Za-z0-9+/_\-]{32,}|eyJrIjoi[A-Za-z0-9]{60,}={0,3}",  # Grafana
    r"glsa_[A-Za-z0-9_\-]{32}_[A-Fa-f0-9]{8}",
    r"hv[brs]\.[A-Za-z0-9_\-]{24,}",  # Vault
    r"[A-Za-z0-9_\-]{14}\.atlasv1\.[A-Za-z0-9\-_=]{60,70}",  # Terraform
    r"pul-[a-f0-9]{40}",  # Pulumi
    r"lin_(?:api|oauth)_[A-Za-z0-9]{40,}",  # Linear
    r"ntn_[A-Za-z0-9]{40,}",  # Notion
    r"secret_[A-Za-z0-9]{43}",
    r"NR(?:AK|BR|II|IQ|JS|RA)-[A-Za-z0-9_\-]{19,}|[0-9a-f]{36}(?:FFFF)?NRAL",  # New Relic
    r"sntry[su]_[A-Za-z0-9+/=_\-]{40,}",  # Sentry
    r"sgp_(?:[a-zA-Z0-9]{16}_|local_)?[a-f0-9]{40}",  # Sourcegraph
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}|PMAT-[0-9A-Z]{26}",  # Postman
    r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_\-.=]{32,}",  # PlanetScale
    r"sbp_(?:v0_|oauth_)?[a-f0-9]{40}|sb_secret_[A-Za-z0-9_\-]{20,}",  # Supabase
    r"tskey-[a-z]+-[A-Za-z0-9\-]{20,}",  # Tailscale
    r"figd_[A-Za-z0-9_\-]{38,}",  # Figma
    r"fo1_[A-Za-z0-9_\-]{43}",  # Fly.io
    r"FlyV1 fm\d[a-z]?_[A-Za-z0-9+/=,_]{50,}",
    r"tfp_[A-Za-z0-9_\-.=]{44,}",  # Typeform
    r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",  # Airtable
    r"CFPAT-[A-Za-z0-9_\-]{43}",  # Contentful
    r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|cf(?:at|ut|k)_[A-Za-z0-9]{40}[0-9a-f]{8}",  # Cloudflare
    r"AKCp[A-Za-z0-9_\-]{10,}|cmVmdGtuO[A-Za-z0-9_\-]{50,}",  # Artifactory
    r"ops_eyJ[A-Za-z0-9+/=_\-]{100,}",  # 1Password
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"rdme_[a-z0-9]{70}",
    r"ico-[A-Za-z0-9]{32}",  # Infracost
    r"EAA[A-Za-z0-9]{80,}|\d{15,16}\|[A-Za-z0-9_\-]{27}|IGQ[VW][A-Za-z0-9_=\-]{80,}",  # Facebook, Instagram
    r"A{21,22}[A-Za-z0-9%]{20,60}%3D[A-Za-z0-9]{40,}",  # X
    r"TlRMTVNTUAA[BCD]AAAA[A-Za-z0-9+/=]{28,}",  # NTLM
    r"LS0tLS1CRUdJTiB(?:QUklWQVRF|SU0EgUFJJVkFU|FQyBQUklW|PUEVOU1NI|EU0EgUFJJ|FTkNSWVBU)[A-Za-z0-9+/=]{40,}",  # base64
    r"v[1-4]\.(?:local|public)\.[A-Za-z0-9_\-]{40,}",  # PASETO
    r"k[1-4]\.(?:local|secret)(?:-pw|-wrap\.pie)?\.[A-Za-z0-9_\-]{40,}",
    r"[sp]k\.eyJ[A-Za-z0-9_\-]{30,}\.[A-Za-z0-9_\-]{20,}",  # Mapbox
    r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}",  # JSON Web Tokens, signed
    r"eyJ[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]*\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}",  # and encrypted
)
PREFIXES = (
    r"A3T|AKI[AD]|A[SB]IA|ACCA|LTAI|AIza|GOCSPX|ya29\.|\dQ~|sk-|[gr]?sk_|xai-|pplx-|r8_|lsv2_|hf_|api_org"
    r"|gh[pousr]_|github_pat"
    r"|gl[a-z]{2,5}-|ATATT|xox[a-z]-|xapp-|hooks\.slack|/api/webhooks/|webhookb2"
    r"|[MNO][A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]|:AA|rk_|whsec|rzp_"
    r"|sq0|EAA|EZ[AT]K|duffel_|shp[a-z]{2,3}_|SK[0-9a-f]{4}|SG\.|key-[0-9a-f]|-us\d|xkeysib|npm_|pypi-"
    r"|rubygems_|cio[A-Za-z0-9]*\d|CLOJARS|dckr_"
    r"|do[opr]_v1|HRKU|dapi[a-f0-9]|dp\.|dt0c01|glc_|glsa_|hv[brs]\.|atlasv1|pul-|lin_|ntn_|secret_"
    r"|NR[A-Z]{2}-|sntry|sgp_|PMAK|pscale_|sbp_|tskey"
    r"|figd_|fo1_|FlyV1|tfp_|pat[A-Za-z0-9]+\.[a-f0-9]|CFPAT|v1\.0-|AKCp|ops_eyJ|AGE-SEC|rdme_|ico-"
    r"|k\.eyJ|eyJ|PRIVATE KEY|ABSK|bedrock-api|da2-[a-z0-9]{8}|amzn\.mws|akab-|1//0|JQQJ9|\+ASt|nvapi-|tgp_v1"
    r"|llx-|tvly-|csk-|jina_|e2b_|fc-[a-f0-9]{8}|GR1348941|_gitlab_session|ATCTT|ATBB|BBDC-|ATTA[a-f0-9]|access_token\$"
    r"|FLW|shippo_|[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}|re_[A-Za-z0-9]{8}_|pat-[a-z]{2}\d-|sdk-[0-9a-f]{8}-|waka_|RGAPI"
    r"|nyk_|dG9rO|oy2[a-z0-9]{20}|SWM(?:TKN|KEY)-|CCIP|bkua_|sq[apu]_|cosmo_|pnu_|aio_|tk-us-|vc[aciprk]_|nf[bcopu]_"
    r"|ph[acrsx]_|sl\.[A-Za-z0-9_\-.]{40}|fio-u-|dnkey-|sha256~|API-[A-Z0-9]{8}|p8e-|s-s4t2|_mmk|t1\.[A-Za-z0-9_\-]{20}"
    r"|AQVN|y0_|3MVG9|00D[A-Za-z0-9]{12}|dt0[a-z]\d|NRAL|PMAT|sb_secret|cf(?:at|ut|k)_|cmVmdGtuO|\d\|[A-Za-z0-9_\-]{27}"
    r"|IGQ|%3D|TlRMTVNTUAA|LS0tLS1CRUdJTiB|[vk][1-4]\.(?:local|public|secret)"
)
"""A piece of every form, for the gate."""
ALL = "|".join(FORMS)
MAKERS = ("sk-ant-", "sk-proj-", "sk-or-", "sk-svcacct-", "eyJ")
ARMOUR = r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
LONGEST_KEY = 20_000  # characters
BODY = re.compile(r"(?:\s|\\n|\\r|\"|'|\+)*[A-Za-z0-9+/=]{4}")
LINE = re.compile(
    r"[ \t\"'+]{0,20}(?:\\n|\r?\n)[ \t\"'+]{0,20}(?:[A-Za-z0-9+/=]{1,100}|(?:Proc-Type|DEK-Info|Comment"
    r"|Version): [^\n\\]{1,80})?"
    r"(?=[ \t\"'+]{0,20}(?:\\n|\r?\n|\Z))"
)
WORD = (
    r"passw(?:or)?ds?|passphrase|passcode|pwd|passwd|pass|secrets?|tokens?|credentials?|bearer|jwt|sas"
    r"|sig|apikey|auth[_\- ]?token"
    r"|(?:api|access|secret|private|auth|account|encryption|signing|master|license|shared[_\- ]?access"
    r"|app|consumer)[_\- ]?keys?"
)
IS = r"(?:=>|:=|={1,3}|:|\bis\b:?|\bwas\b:?)"
NAMED = rf"(?i:(?:{WORD})(?:[_\-][A-Za-z0-9]{{1,12}})?[\"'\]`*]{{0,3}}\s{{0,3}}{IS}\s{{0,3}}(?:[A-Za-z]{{0,2}}[\"'`])?)"
SAID = r"(?i:\b(?:password|passphrase|passcode|pwd)s?[\"']?\s{1,2}(?:is\s|was\s|of\s)?[\"'`“]?)"
HEADERS = (
    r"(?i:\b(?:authorization|x-api-key|x-auth-token|private-token|proxy-authorization)[\"']?\s{0,2}[:=]\s{0,2}[\"']?"
    r"(?:bearer|basic|token|apikey|digest)?\s{0,2})"
)
ADDRESS = r"[A-Za-z][A-Za-z0-9+.\-]{1,24}://[^\s:/@\"'<>`,{}\[\]]{0,64}:[^\s/@\"'<>`,{}\[\]]{1,128}@"
CURL = r"(?:\scurl\s[^\n]{0,80}?|\bcurl )-u\s{0,2}[\"']?[^\s:\"']{1,64}:"
QUERY = (
    r"(?i:[?&;](?:access_token|token|id_token|refresh_token|auth|api_?key|key|sig|signature|secret"
    r"|client_secret|password|pwd"
    r"|code|session(?:id)?|x-amz-signature|x-amz-security-token)=)"
)
CONTEXT = "|".join((NAMED, SAID, HEADERS, CURL, QUERY))
GATE = (
    rf"{PREFIXES}|://[^\s/@]*:[^\s/@]+@|\bcurl\b|[?&;](?i:key|auth|code|session|sig)"
    r"|(?i:passw(?:or)?ds?|passphrase|passcode|pwd)[\"']?\s"
    rf"|(?i:(?:{WORD})[A-Za-z0-9_\-]*[\"'\]`*]*\s*(?:[=:]|is\b|was\b)|authorization|x-a[a-z\-]+|private-token)"
)
VALUE = re.compile(r"[^\s\"'`<>(){}\[\],;|\\“”]{6,256}")
DUMMY = (
    r"(?i)example|sample|placeholder|dummy|change[_\-]?me|your[_\-]?|my[_\-]?(?:password|secret|token|key)"
    r"|insert|redacted|replace|todo|fixme"
    r"|x{4}|\*{3}|\.{3}|•{2}|foobar|lorem|undefined|process\.env|environ|getenv|^\$\w+$|\$\{|\{\{|%\(|<[a-z]"
)
"""What documentation writes where a secret goes."""
SAMPLE = re.compile(r"EXAMPLE|[xX]{6}|\*{3}|\.{3}|(?i:your[_\-])")
"""The same in a value of a known form."""
TRIVIAL = re.compile(
    r"password|passwd|pass|pwd|secret|user|root|admin|guest|test|postgres|token|xxx|none|null", re.IGNORECASE
)
NAME = re.compile(r"[A-Z]+(?:_[A-Z]+)+|\*+")
"""How a setting is named that is to be put in."""
SIGNS = set("!@#$%^&*?~+")
QUOTES = set("'\"`“")
OPENING = ("(", "[", "{")
PASSWORD = re.compile(r"pass|pwd", re.IGNORECASE)
SENTENCE = re.compile(r"\b(?:is|was)\W", re.IGNORECASE)
WORDY = re.compile(r"[A-Za-z]+\d{0,4}|\d+|v\d+[a-z]?\d*", re.IGNORECASE)
WORDS = re.compile(r"(?:[A-Za-z]{1,12}\d{0,5}|\d{1,4})(?:[_\-.]{1,2}(?:[A-Za-z]{1,12}\d{0,5}|\d{1,4}))+")
"""Words and short numbers in a row, as names of packages and files are."""
PUBLIC = re.compile(r"public[_\- ]?$", re.IGNORECASE)
IDENTIFIER = re.compile(
    r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)+|[A-Z]{1,6}[a-z]*\d{0,5}(?:[A-Z][a-z]{2,}\d{0,3})+"
)
"""A name of code: with its path, or of a type, as `Ed25519PrivateKey`."""


def find(text: str, rules: Rules) -> Iterator[Span]:
    """Where secrets stand: of an assignment the value alone, of an address name and password."""
    yield from private_keys(text)
    for start, end in spans(ALL, text):
        if stands_alone(text, start, end) and looks_drawn(text[start:end]):
            yield start, end
    for start, end in spans(ADDRESS, text):
        place = text.index("://", start) + 3
        if not trivial(text[place : end - 1].partition(":")[2]):
            yield place, end - 1
    yield from values(text)


def private_keys(text: str) -> Iterator[Span]:
    """Private keys in armour, also cut off; an armour without a key in it is a pattern of code."""
    for start, end in spans(ARMOUR, text):
        if not BODY.match(text, end):
            continue
        close = text.find("-----END", end, end + LONGEST_KEY)
        stop = text.find("-----", close + 8, close + 80) + 5 if close >= 0 else 0
        if stop < 5:
            stop = end_of_lines(text, end)
        if stop > end and "EXAMPLE" not in text[start:stop]:
            yield start, stop


def end_of_lines(text: str, place: int) -> int:
    """Where the lines of a key end that nothing closes."""
    while (line := LINE.match(text, place)) and line.end() > place:
        place = line.end()
    return place


def values(text: str) -> Iterator[Span]:
    """The values that a name, a header or a sentence says are secret."""
    for start, end in spans(CONTEXT, text):
        match = VALUE.match(text, end)
        if not match or text[match.end() : match.end() + 1] in OPENING or PUBLIC.search(before(text, start, 8)):
            continue
        said, quoted = text[start:end], text[end - 1] in QUOTES
        value = match[0] if quoted else match[0].rstrip(".:!?")
        if said[0] in "?&;":
            value = value.partition("&")[0].partition("#")[0]
        if is_secret(value, said, quoted):
            yield end, end + len(value)


def is_secret(value: str, said: str, quoted: bool) -> bool:
    """Whether a value looks drawn by lot, or like a password where one is announced."""
    if (
        compiled(DUMMY).search(value)
        or TRIVIAL.fullmatch(value)
        or "://" in value
        or (not quoted and IDENTIFIER.fullmatch(value))
    ):
        return False
    announced = quoted or any(mark in said for mark in ":=")
    return (is_password if PASSWORD.search(said) else is_key)(value, said, announced)


def is_password(value: str, said: str, announced: bool) -> bool:
    """Whether a value behind `password` is one: of three classes of letters, or of two and long and unlike a word."""
    classes = classes_of(value)
    if len(value) >= 6 and len(classes) >= 3 and classes & {"digit", "sign"} and not WORDY.fullmatch(value):
        return announced or "sign" in classes or bool(SENTENCE.search(said))
    long = len(value) >= 8 and len(classes) >= 2 and "digit" in classes
    return announced and long and not path_like(value) and not wordy(value) and entropy(value) >= 2.75


def is_key(value: str, said: str, announced: bool) -> bool:
    """Whether a value behind the name of a key or token is one: long, of letters and digits, drawn by lot."""
    mixed = "digit" in (classes := classes_of(value)) and bool(classes & {"lower", "upper"})
    return announced and mixed and len(value) >= 16 and entropy(value) >= 3 and not wordy(value)


def classes_of(value: str) -> set[str]:
    """Which classes of letters a value has."""
    tests = {"lower": str.islower, "upper": str.isupper, "digit": str.isdigit, "sign": SIGNS.__contains__}
    return {name for name, test in tests.items() if any(map(test, value))}


def path_like(value: str) -> bool:
    """Whether it is rather a file, a version or a name of code."""
    return bool(re.search(r"/\w+/|\.\w{1,4}$|^[\d.]+$|::|->", value))


def wordy(value: str) -> bool:
    """Whether it is made of words and short numbers, as names are."""
    return all(WORDY.fullmatch(part) for part in re.split(r"[^A-Za-z0-9]+", value) if part)


def entropy(value: str) -> float:
    """Shannon entropy in bits per letter."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


def looks_drawn(found: str) -> bool:
    """Whether a value in a known form is no sample and, unless its beginning is unmistakable, no row of words."""
    return not SAMPLE.search(found) and (found.startswith(MAKERS) or not WORDS.fullmatch(found))


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether it is no piece of something longer."""
    return not re.match(r"[A-Za-z0-9_]", text[start - 1 : start]) and not re.match(r"[A-Za-z0-9_]", text[end : end + 1])


def trivial(password: str) -> bool:
    """Whether a password in an address stands for one."""
    short = len(password) < 5 and not any(map(str.isdigit, password))
    return short or bool(TRIVIAL.fullmatch(password) or NAME.fullmatch(password) or compiled(DUMMY).search(password))


def reserved(found: str) -> bool:
    """What is written for one."""
    return "EXAMPLE" in found


def surrogate(found: str, chance: Chance) -> str:
    """A value of the same form that says it is an example; a private key is left out whole."""
    if found.startswith("-----BEGIN"):
        head = found.partition("-----\n")[0] if "-----\n" in found else found.partition("KEY")[0] + "KEY"
        return f"{head}-----\nEXAMPLE\n{head.replace('BEGIN', 'END')}-----"
    if ":" in found:  # name and password of an address
        return f"user:EXAMPLE{like(found.partition(':')[2][7:], chance)}"
    kept = 4 if len(found) >= 16 else 0
    return f"{found[:kept]}EXAMPLE{like(found[kept + 7 :], chance)}"
