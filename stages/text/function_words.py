"""Words and letters that tell a language from its neighbours, where the model leaves a doubt.

The words are the most frequent small ones of each language (articles, pronouns, prepositions, forms of "to be"), the letters
those of its alphabet that most others lack: an ə is Azerbaijani and not Turkish, a "hva" Norwegian and not Danish. Languages
that are not here keep what the model gave them.
"""

from collections import Counter, defaultdict
from functools import cache

WORDS = {
    "az": (
        "amma artıq bir bu da daha deyil də edir edən elə görə hər ilk ilə isə ki kimi lakin o olan olaraq olub "
        "olur onun sonra var və ya üçün"
    ),
    "be": "або але без была былі быў гэта з за каб калі на не пра што як які яна ён і ў",
    "bg": (
        "аз ако без беше би бъде в все всички във го да до дори е за и из или им как като кога което които който "
        "която към ли ме ми много му на най не него ни но няма от още по под са само се си след сме според със "
        "така там те тези това този той трябва тя у че ще"
    ),
    "cs": (
        "a aby ale ani až bez bude by byl byla být co do i jak jako je jeho jejich jen jeste ještě jsem jsme jsou "
        "jste k kde kdyz když ktera ktere ktery které který ma mezi mi má na nad nebo neni není o od po pod podle "
        "pokud pri prilis pro proto protoze protože před při s se si tak tato tento teto to toho tom této u už v "
        "ve vice vsak více však z za ze že"
    ),
    "da": (
        "af alle altid andre arbejde at bare bedste blev blevet bliver bruge bruger da de den der det dette dig "
        "disse du efter eller en end er et fik finder findes for fra gennem gik give han har havde have hej hende "
        "hjem hun hvad hver hvilket hvis hvor hvordan hvorfor i igen ikke ind inden ja jeg jer jeres kan kender "
        "kun kvinder lidt lige lille man mand med meget mellem men mere mig mod nej nogen noget nogle nu nye når "
        "og også om op os over på sagde samme sammen siden sidste sig siger sin skal som sådan tage tager til to "
        "tog tre ud uden uge var ved vej vi vil vores været år"
    ),
    "de": (
        "am an auch auf aus bei das dass dem den der des die ein eine einer er es für haben ich im in ist mit "
        "nach nicht noch oder sich sie sind so und von war werden wie wir wird zu zum zur über"
    ),
    "en": (
        "a an and are as at be been but by for from had has have he her his i if in is it its my not of on or our "
        "she that the their there they this to was we were what which will with would you your"
    ),
    "es": (
        "al como con de del el ella en entre es esta este ha hay la las lo los mi muy más no o para pero por que "
        "se sin sobre son su sus también un una y ya"
    ),
    "et": (
        "aga ainult ei et ette ja ju juba just järgi ka kas kes kogu kohta kui kuid kuidas ma mida mis mitte neid "
        "nii ning nüüd oli olid olla oma on peab pole pärast saab sai seda see selle sest siin siis ta teha tema "
        "tuleb vaid veel väga välja või ära üks üle"
    ),
    "eu": "ala baina bat da dira du ere eta ez hau hori izan zen",
    "fi": (
        "ei ennen että hän ja jo joka jos kaikki kanssa kuin kun mitä mukaan mutta myös ne niin nyt oli olla on "
        "ovat se sekä sen sitä tai tämä tässä vain voi"
    ),
    "fr": (
        "au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur mais ne nous on ou par "
        "pas plus pour qu que qui sa se ses son sont sur un une vous à été"
    ),
    "hu": (
        "a az csak de egy ez fel hanem hogy is itt ki meg mert minden mint mit már még nem nincs pedig s sem "
        "szerint után vagy van volt és ő"
    ),
    "id": (
        "ada adalah akan atau bahwa bisa dalam dan dari dengan di dia hanya ini itu juga karena ke kita lebih "
        "oleh pada para saat saya sebagai sebuah sudah tahun tidak untuk yang"
    ),
    "is": "af að ekki en er eða fyrir hann hún með og sem til um var við á í það þegar",
    "it": (
        "a ai al alla anche che chi come con cui da dal dalla dei del della delle di e gli ha i il in io la le lo "
        "ma mi nel nella non o per più quando questa questo se si sono su sul un una è"
    ),
    "kk": "бар болып бұл да де деген деп еді және мен ол осы үшін",
    "lt": (
        "apie ar bei bet buvo būti dar dėl i iki ir iš jau jei ji jis jo kad kaip kas kuris ne nei nes nuo o "
        "pagal per po prie su tai tik už yra į"
    ),
    "lv": (
        "ar arī bet bija būt es gan ir ja jau kad kas ko kā lai nav ne no pa par pat pie pēc tad tas tika tikai "
        "to tā un uz vai var viņa viņš šis šī"
    ),
    "mk": (
        "ако без беше би бил била во го да дека до е еден една за и из или има како кај кога кое кои кој која ли "
        "ме ми многу му на не неа него ни но оваа овој од по под при само се си со според сум така те ти тоа тој "
        "треба што ја ќе"
    ),
    "mn": "байна байсан бол болон нь энэ юм",
    "nl": (
        "aan al als bij dat de die door een en er haar heeft het hij ik in is maar met naar niet nog of om ook op "
        "te uit van voor was wat wel werd wij worden zijn"
    ),
    "no": (
        "alle alltid andre arbeid at av bare berre beste ble blir blitt bruke bruker da de deg den der dere desse "
        "det dette disse du dykk då eg ein eit eller en enn er et etter fikk finner finnes for fra frå før gi "
        "gikk gjennom ha han har hei henne hjem hjå ho hun hva hver hvis hvor hvordan hvorfor i igjen ikke ikkje "
        "inn innen ja jeg kan kjenner korleis kun kva kvinner liten litt man mann med meg meir mellom men mer mot "
        "mye nei noe noen nokon nye nå når og også om opp oss over på sa saman samme sammen seg siden sier sin "
        "siste skal slik som ta tar til to tok tre uke ut uten var vart ved vei vere vi vil vår våre vært å år òg"
    ),
    "pl": (
        "a aby ale być był co czy dla do gdy go i ich ile im ja jak jako je jego jest już która które który lub "
        "ma mi może na nie niż o od po przez przy się są tak to tylko tym w we z za ze że"
    ),
    "pt": (
        "a ao aos as com como da das de do dos e ela ele em entre essa esta este eu foi isso mais mas muito na "
        "nas no nos não o os ou para pela pelo por que se sem seu sua são também um uma"
    ),
    "ro": (
        "a aceasta acest aceste acestea acum ai al ale am ar are as asta atunci au avea aveti ca care cat ce cea "
        "cei cel cele celor cu cum că da daca dar de decat deci despre din doar dupa după e ei el este eu fi fie "
        "fiecare fost iar imi in insa intr intre isi iti la lor lui mai mea mult ne noi nu o or ori pe pentru "
        "poate pot prin sa sau se si spre sub sunt să te toate toti trebuie un una unei unor unui va voi vor în "
        "și"
    ),
    "ru": (
        "без бы был была были было быть в вас во вот все вы для до его ее если есть еще же за и из или им их к "
        "как когда кто ли меня мне может мы на не него нет но о он она они от по под при с со так также то только "
        "у уже что чтобы это этого этот я"
    ),
    "sq": "dhe do e i janë ka kjo ky me më nga një nuk në por për që se si së tek të është",
    "sr": (
        "ако али без би била били било био бити већ да до за због и из или им има када како као ко која које који "
        "ми на над нам не него нису није ова овај ово од он она они по под при са сам само све се смо су та так "
        "тај то тога треба у уз чак што је један једна ће"
    ),
    "sv": (
        "alla andra att av bara blev bli de den dessa det detta du där efter eller en ett from från för genom ha "
        "han har hon hur hår i inte ja jag kan man med mellan men mer mig mot mycket nu när någon något och också "
        "om oss på samma sig sin ska som till tre två under upp ut utan vad var varför vi vid vill än är år över"
    ),
    "tr": (
        "ama bir bu da daha de değil diye en gibi göre hem her ile ise için kadar ki mi ne o olan olarak sonra "
        "var ve veya ya çok"
    ),
    "uk": (
        "або але без був була були було бути в вже вона вони все від він для до з за зі й його ким коли ми на не "
        "ні о по при про та так також те ти то того у це цей цього через що щоб я як яка який які є і із їх її"
    ),
    "vi": (
        "bị cho các có cũng của khi không là làm một người như những này ra rất sẽ thì trong tôi tại từ và vào về "
        "với đã được đến để ở"
    ),
}
LETTERS = {
    "az": "çöüğıə",
    "be": "ў",
    "bg": "ъ",
    "cs": "čěřšůž",
    "da": "åæø",
    "de": "ßäöü",
    "es": "¿ñü",
    "et": "äõöüšž",
    "eu": "ñ",
    "fi": "äö",
    "fr": "çêëùœ",
    "hu": "öüőű",
    "is": "æðöþ",
    "it": "ìòù",
    "lt": "ąčėęįšūųž",
    "lv": "āčēģīķļņšūž",
    "mk": "ѓѕјљњќџ",
    "nl": "ë",
    "no": "åæø",
    "pl": "ąęłńśźż",
    "pt": "ãçêõ",
    "ro": "ăţșț",
    "sq": "çë",
    "sr": "ђјљњћџ",
    "sv": "äåö",
    "tr": "çöüğı",
    "uk": "єїґ",
    "vi": "ãêìòõùă",
}

ALONE = (
    "about after again almost along always among and another answer anything around asked away back because become "
    "before began behind being below better between black blue body both brought build built business call called "
    "came cannot carry cause certain change child children city clear cold color common company complete could "
    "country dark days deep different does done down draw drive during early easy either else enough even evening "
    "ever every everything example eyes fact family farm fast father feel feet fill find first fish five follow "
    "following food foot four friend friends from front gave gets getting girl girls given gives goes going good "
    "government great green ground group grow head heard help high himself history home hours house how however human "
    "hundred important inside into it keep knew know known large last learn least leave left less life light like "
    "little lived living look looked looking lost made main making maybe mean means might minutes miss money months "
    "morning mother movement much must near need needed needs never next night nothing number of often once open "
    "order others outside paper past paths peace picture piece play power product questions quick quickly read ready "
    "really reason remember rest right river road room round rule says seem seen several shall short should show "
    "shows since size slow small snow some someone something sometimes soon start stay step still stood story street "
    "strong study such sure take taken talk teach tell than that the their themselves then there these they thing "
    "things think this those thought thousand three through time times today together told took toward town travel "
    "tree true turn understand unit until upon using usually very vowel wait walk wanted wants watch water ways "
    "weather week weeks well went what when where which white whole with without wood words work worked working works "
    "world worth would written wrong year years yellow you young your yourself"
)
"""Common words of English that are not among the common ones of another language."""
MORE = (
    "a all also an any are as ask at be been boy but buy by can create cut day describe did each eat explain eye few "
    "for generate get give got has have he her his hot if in is its low make many more most new not old on only or "
    "other out own people provide saw say sea she sky to too try two use used was way we were while why will write "
    "yes yet"
)
"""Others that are common in it, or in what a model is told; some are short enough to be anything."""
AS_WELL = (
    "all am care cat co come die do door e end fi go ha had hat just los man me men met my no now o one our over per "
    "pole pot pro s see so son tom under up w war who"
)
"""Small words of another language that are words or names in English too."""
ENGLISH_ALONE = frozenset(ALONE.split())
ENGLISH = ENGLISH_ALONE.union(MORE.split())
TELLING, SHARE = 3, 4  # different words of English, and one word in so many
# of 73,150 sentences in 74 other languages 13 have as many and no foreign word, nine of which are English after all


def english(head: str) -> bool:
    """Whether the words of a text's beginning say that they are English, which takes a tenth of what asking a model does."""
    if not head.isascii():
        return False
    words = head.lower().split()
    common = len(ENGLISH.intersection(words))
    many = common >= TELLING and SHARE * common >= len(words)
    return many and not ENGLISH_ALONE.isdisjoint(words) and foreign().isdisjoint(words)


@cache
def foreign() -> frozenset[str]:
    """The small words of other languages: a text with one of them may only quote English."""
    others = (word for language, listed in WORDS.items() if language != "en" for word in listed.split())
    return frozenset(others).difference(ENGLISH, AS_WELL.split(), WORDS["en"].split())


def signs(text: str) -> Counter[str]:
    """How many of its words and letters each language has in a text, every one counted once."""
    low = text.lower()
    words, letters = by_sign()
    found: Counter[str] = Counter()
    for word in words.keys() & low.split():
        found.update(words[word])
    for letter in () if low.isascii() else letters.keys() & set(low):
        found.update(letters[letter])
    return found


@cache
def by_sign() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The languages of each word, and of each letter."""
    words, letters = defaultdict(list), defaultdict(list)
    for language, listed in WORDS.items():
        for word in listed.split():
            words[word].append(language)
    for language, listed in LETTERS.items():
        for letter in listed:
            letters[letter].append(language)
    return dict(words), dict(letters)
