"""Every code a finding can have. A code never changes its meaning; a new meaning gets a new code.

Each has a page in `explained/`, with an example that gets it and one that doesn't.
"""

from autopack.problem.typed import NamedTuple


class Code(NamedTuple):
    title: str
    severity: str  # "error" | "warning" | "info"
    why: str  # why it matters to the person who wrote the file


LAYERS = {
    "AP1": "text",
    "AP2": "schema",
    "AP3": "references and templates",
    "AP4": "graph",
    "AP5": "policy",
    "AP6": "budget",
    "AP7": "plan and lock",
    "AP8": "run",
}


def layer(code: str) -> str:
    """What a code is about, by how it begins."""
    return LAYERS[code[:3]]


CODES: dict[str, Code] = {
    # --- AP1xxx: text ---
    "AP1001": Code(
        "header missing",
        "error",
        "The header says which schema checks the file; without it every other check would be a guess.",
    ),
    "AP1002": Code(
        "unknown kind of file",
        "error",
        "The header names a kind that has no schema, so nothing in the file could be checked.",
    ),
    "AP1003": Code(
        "unknown version of a kind",
        "error",
        "A file written for another version may mean something else; it is never read by guessing.",
    ),
    "AP1004": Code(
        "more than one document",
        "error",
        "Only the first document would be read and the rest would silently not exist.",
    ),
    "AP1005": Code(
        "duplicate key",
        "error",
        "YAML readers keep one of the two values, usually the last, and say nothing about the other.",
    ),
    "AP1006": Code(
        "custom tag",
        "error",
        "Tags other than the core ones run code or change types in some readers; here they have no meaning.",
    ),
    "AP1007": Code(
        "alias inside its own anchor",
        "error",
        "A value that contains itself has no end and cannot be a plan.",
    ),
    "AP1008": Code(
        "aliases expand too far",
        "error",
        "A few lines of nested aliases can stand for billions of values and exhaust the machine.",
    ),
    "AP1009": Code(
        "tab as indentation",
        "error",
        "Editors disagree about the width of a tab, so YAML forbids tabs where nesting is decided.",
    ),
    "AP1010": Code(
        "merge-conflict marker",
        "error",
        "The file holds two versions of the same lines and nobody has chosen yet.",
    ),
    "AP1011": Code(
        "NUL byte",
        "error",
        "A NUL comes from a damaged or binary file, and many tools would read only the text before it.",
    ),
    "AP1012": Code(
        "not UTF-8",
        "error",
        "Every column and every hash counts UTF-8; another encoding would be read as other words.",
    ),
    "AP1013": Code(
        "file too large",
        "error",
        "A bound on the size keeps every check fast and keeps hostile files harmless.",
    ),
    "AP1014": Code(
        "nested too deeply",
        "error",
        "No kind of file needs such depth; it comes from a mistake or from a file made to exhaust the reader.",
    ),
    "AP1015": Code(
        "not valid YAML",
        "error",
        "From this place on the text has no defined meaning, so nothing after it can be checked.",
    ),
    "AP1016": Code(
        "unused anchor",
        "warning",
        "An anchor that no alias uses is often a misspelt alias, or left over from an edit.",
    ),
    "AP1017": Code(
        "number with a leading zero",
        "warning",
        "YAML 1.2 reads 012 as 12, older readers as 10; an identifier such as 007 loses its zeros.",
    ),
    "AP1018": Code(
        "key is not a string",
        "error",
        "Keys name things; a number, a null or a mapping as a key cannot be referred to or written as JSON.",
    ),
    "AP1019": Code(
        "unknown alias",
        "error",
        "The alias refers to an anchor that is not defined above it, so it stands for nothing.",
    ),
    "AP1020": Code(
        "merge of something that is not a mapping",
        "error",
        "`<<` copies the keys of one or more mappings; a scalar or a list has no keys to copy.",
    ),
    "AP1021": Code(
        "text that swallowed keys",
        "warning",
        "Lines of a block of text that look like keys of the surrounding mapping are usually indented too far.",
    ),
    "AP1022": Code(
        "number that cannot be kept",
        "error",
        "Plans are canonical JSON and caps are 64-bit: infinities, NaN and larger numbers have no place there.",
    ),
    "AP1023": Code(
        "value does not fit its tag",
        "error",
        "A tag such as !!int is a promise about the value; a reader that cannot keep it must not guess.",
    ),
    "AP1024": Code(
        "too many findings in one file",
        "error",
        "The rest is not listed: past a thousand findings they share a cause, and a list would hide it.",
    ),
    "AP1025": Code(
        "control character",
        "error",
        "YAML forbids control characters in its text; they hide in a terminal and damage what is copied from it.",
    ),
    "AP1026": Code(
        "too many keys and values",
        "error",
        "Past half a million nobody wrote them by hand; the bound keeps such a file from exhausting the machine.",
    ),
    "AP1027": Code(
        "comment that cuts off a text",
        "warning",
        "A space and `#` begin a comment, so a plain text ends before the number of an issue, in silence.",
    ),
    "AP1028": Code(
        "curly quotes",
        "warning",
        "Quotes of a word processor are letters to YAML: they become part of the text and protect nothing in it.",
    ),
    "AP1029": Code(
        "item that became text",
        "error",
        "A list item indented deeper than the one above it continues that text: two entries become one, in silence.",
    ),
    # --- AP2xxx: schema ---
    "AP2001": Code(
        "unknown key",
        "error",
        "A key nobody reads is a wish that silently does not come true; most are misspelt.",
    ),
    "AP2002": Code(
        "missing key",
        "error",
        "Nothing sensible can be assumed for this key, so whoever writes the file must say it.",
    ),
    "AP2003": Code(
        "wrong type",
        "error",
        "Text is never made of numbers, and numbers never of text: 3.10 would become 3.1, and nobody would see it.",
    ),
    "AP2004": Code(
        "text where a list belongs",
        "error",
        "`needs: a b` names one thing with a blank in it; a list names two.",
    ),
    "AP2005": Code(
        "not one of the allowed values",
        "error",
        "The value has a fixed vocabulary, and another word would have no meaning.",
    ),
    "AP2006": Code(
        "wrong form",
        "error",
        "The value becomes a branch, a file name, a date or an amount, and must look like one.",
    ),
    "AP2007": Code(
        "number out of range",
        "error",
        "A cap of 0 allows nothing, a share above 1 is none; such a number is a slip.",
    ),
    "AP2008": Code(
        "empty",
        "error",
        "An empty list or text where something is needed leaves the next step with nothing to do.",
    ),
    "AP2009": Code(
        "repeated item",
        "error",
        "The second one changes nothing, so something else was probably meant.",
    ),
    # --- AP3xxx: references and templates ---
    "AP3001": Code(
        "duplicate id",
        "error",
        "Ids become branches, tags and file names, some of them on systems where `A` and `a` are the same.",
    ),
    "AP3002": Code(
        "needs something that does not exist",
        "error",
        "Work that waits for an unknown phase or tier would never start, or would start too early.",
    ),
    "AP3003": Code(
        "needs itself",
        "error",
        "What waits for itself never starts.",
    ),
    "AP3004": Code(
        "needs something later",
        "error",
        "Tiers run in the order they are written; a need may only point to the same or an earlier tier.",
    ),
    "AP3005": Code(
        "unknown CI profile",
        "error",
        "No step would judge the commit.",
    ),
    "AP3006": Code(
        "unknown model",
        "error",
        "The routing names a model the catalogue does not have, so nobody could be asked.",
    ),
    "AP3007": Code(
        "file that cannot be read",
        "error",
        "What the reference stands for is part of the rules; without it nothing is checked or run.",
    ),
    "AP3008": Code(
        "reference to another kind of file",
        "error",
        "Each reference expects one kind: a ruleset cannot stand where a catalogue of models belongs.",
    ),
    "AP3009": Code(
        "extends itself",
        "error",
        "A chain of `extends` must end somewhere, or no value would ever be decided.",
    ),
    "AP3010": Code(
        "deliverable outside the scope",
        "error",
        "The phase must produce a file it may not write, so it could never be done.",
    ),
    "AP3011": Code(
        "path outside the repository",
        "error",
        "A phase may touch the repository it builds and nothing else, and never git's own folder.",
    ),
    "AP3012": Code(
        "id that git refuses",
        "error",
        "Ids become parts of branches and tags; git refuses `..`, and an end in `.` or `.lock`.",
    ),
    "AP3013": Code(
        "too many auditor attempts",
        "error",
        "The Auditor is the last resort: it gets fewer attempts than the Builder, at least one.",
    ),
    "AP3014": Code(
        "expired exception",
        "error",
        "An exception was granted until a day that has passed; whoever owns it must renew or remove it.",
    ),
    "AP3015": Code(
        "integration branch is protected",
        "error",
        "A run writes its integration branch and must never write a protected one.",
    ),
    "AP3016": Code(
        "not a branch name",
        "error",
        "git would refuse the branch at the end of the build instead of before its start.",
    ),
    "AP3017": Code(
        "model without a price",
        "error",
        "Without a price no cap on money holds; a model that costs nothing is capped in tokens instead.",
    ),
    "AP3018": Code(
        "default of an input does not fit",
        "error",
        "The default would be refused if somebody gave it, so it can't stand for what nobody gave.",
    ),
    "AP3019": Code(
        "wrong input",
        "error",
        "The playbook declares which inputs it takes, of which type and with which values.",
    ),
    "AP3020": Code(
        "unknown name in a template",
        "error",
        "The name would stand for nothing and the text would reach the Builder with a hole in it.",
    ),
    "AP3021": Code(
        "template that cannot be filled in",
        "error",
        "The braces don't form an expression that has a value, so what was meant is unknown.",
    ),
    "AP3022": Code(
        "not allowed in a template",
        "error",
        "Templates fill in names. They have no loops, calls or arithmetic, so that no file can stall a compile.",
    ),
    "AP3023": Code(
        "pattern without a file",
        "warning",
        "The pattern finds nothing now; either it is misspelt or the files are still to come.",
    ),
    "AP3024": Code(
        "CI profile without steps",
        "error",
        "A profile that runs nothing would call every commit green.",
    ),
    "AP3025": Code(
        "shell command",
        "info",
        "A shell sees one text instead of words: quoting, variables and wildcards deserve a second look.",
    ),
    "AP3026": Code(
        "quota for a provider without models",
        "warning",
        "No model of the catalogue belongs to this provider, so the quota limits nothing.",
    ),
    "AP3027": Code(
        "output longer than the window",
        "error",
        "Input and output share the window; an answer can't fill all of it.",
    ),
    "AP3028": Code(
        "fan-out that can't be made",
        "error",
        "Each branch becomes a phase with an id of its own; without one there is no branch, tag or file to name.",
    ),
    "AP3029": Code(
        "unknown environment",
        "error",
        "The overlay that was asked for would silently not apply, and the run would be governed by other rules.",
    ),
    "AP3030": Code(
        "key that does not go with `uses`",
        "error",
        "A module decides its own content; what is said twice would silently win or silently lose.",
    ),
    "AP3031": Code(
        "unknown phase in a scenario",
        "error",
        "Answers for a phase that doesn't exist are never given, and what is expected of it never comes true.",
    ),
    "AP3032": Code(
        "selection that can't be read",
        "error",
        "Whoever uses the selector would run other phases than it was meant for, or learn of it only then.",
    ),
    "AP3033": Code(
        "grant for an unknown phase",
        "warning",
        "The exception is given to nobody: the phase it was meant for will be refused what it was to be allowed.",
    ),
    "AP3034": Code(
        "context that is not there",
        "warning",
        "What was to be shown to every Builder is not in the checkout, so all of them would work without it.",
    ),
    "AP3035": Code(
        "dollar sign before a template",
        "warning",
        "Written as in other tools, `${{ ... }}` is filled in here as well, and leaves its `$` in the text.",
    ),
    "AP3040": Code(
        "builder that does not fit its kind",
        "error",
        "A command needs a program to run; what is said of a program means nothing to a model.",
    ),
    # --- AP4xxx: graph ---
    "AP4001": Code(
        "needs that form a circle",
        "error",
        "Each phase of a circle waits for another one of it, so none of them could ever start.",
    ),
    "AP4002": Code(
        "overlapping scopes without an order",
        "warning",
        "Both phases start from the same commit; whoever lands second is rebased over the first, and may conflict.",
    ),
    # --- AP5xxx: policy ---
    "AP5001": Code(
        "undeclared category",
        "error",
        "The category decides budgets, CI and audits; guessing one would guess how much care the change gets.",
    ),
    "AP5002": Code(
        "high-risk phase on a lesser model",
        "warning",
        "High-risk changes go to a premium model; a catalogue that routes them lower saves at the wrong end.",
    ),
    "AP5003": Code(
        "CI profile that the project does not have",
        "error",
        "A category, a complexity or a mode asks for checks; without that profile nothing could judge the change.",
    ),
    "AP5004": Code(
        "code from outside without its origin",
        "error",
        "Whoever takes over foreign code answers for where it comes from and what its licence asks.",
    ),
    "AP5005": Code(
        "source that is not allowed",
        "error",
        "Code is only taken over from places that the ruleset names, so that nobody imports a stranger's.",
    ),
    "AP5006": Code(
        "licence that is not allowed",
        "error",
        "A licence off the list can bind the whole product; somebody has to decide that before code is taken over.",
    ),
    "AP5007": Code(
        "network closed without a sandbox",
        "error",
        "Without a sandbox every command reaches the network, whatever the file says: the promise can't be kept.",
    ),
    "AP5008": Code(
        "scope over the project's own files",
        "warning",
        "No run may change the rules it runs by: a patch that touches one of these files is refused, and paid for.",
    ),
    "AP5009": Code(
        "secret in a specification",
        "error",
        "A specification is committed, frozen into plans and shown to models: what is written there is no secret any "
        "more.",
    ),
    "AP5020": Code(
        "aged issue",
        "info",
        "An issue that came back run after run is debt that nobody pays: from now on it counts as major.",
    ),
    "AP5021": Code(
        "second audit without a second model",
        "error",
        "Two audits are worth more than one only when two different models judge; the same one would only agree again.",
    ),
    "AP5022": Code(
        "rule that matches no phase",
        "info",
        "A rule that governs nothing is read as if it did: what it was written for may go by another name.",
    ),
    "AP5023": Code(
        "phases that only defaults cover",
        "info",
        "Nobody has said how careful to be with this kind of work, so it gets what suits work in general.",
    ),
    "AP5024": Code(
        "advice of a builder mode",
        "info",
        "Large work in one piece is hard to review and costly to repeat; in the advised form less of it is lost.",
    ),
    "AP5901": Code(
        "waiver that cannot hold",
        "error",
        "A waiver is an exception: it names codes that may be waived, an owner, a reason and a last day.",
    ),
    "AP5902": Code(
        "unused waiver",
        "warning",
        "The finding it was written for is gone; left in place, it would hide the next one.",
    ),
    "AP5903": Code(
        "expired waiver",
        "error",
        "It was granted until a day that has passed; whoever owns it settles the finding or renews it.",
    ),
    # --- AP6xxx: budget ---
    "AP6001": Code(
        "cap above its parent's cap",
        "error",
        "A phase can never spend more than its playbook may: the larger number is a promise that can't be kept.",
    ),
    "AP6002": Code(
        "more phases than a run may have",
        "info",
        "Long runs are hard to review and hard to stop; the playbook is executed as several, one after the other.",
    ),
    "AP6003": Code(
        "too few tokens for a call",
        "error",
        "A call that can't hold its instructions, a file and an answer is paid for and can't succeed.",
    ),
    "AP6004": Code(
        "first attempts do not fit the cap",
        "error",
        "Even if everything succeeds at once the run would be stopped by its budget before the end.",
    ),
    "AP6005": Code(
        "worst case above the cap",
        "warning",
        "With every retry and audit the run could pass its cap; it would stop there, with what has landed kept.",
    ),
    "AP6010": Code(
        "command whose spending nobody sees",
        "warning",
        "An agent's own calls are on its own bill; no cap of this plan can hold for them, and no proof counts them.",
    ),
    "AP6103": Code(
        "call refused by a budget",
        "error",
        "A call is only made when its upper bound fits every cap, so that no cap is ever passed.",
    ),
    # --- AP7xxx: plan and lock ---
    "AP7001": Code(
        "several tiers in a single-tier run",
        "info",
        "run_scope: single_tier promises that a run handles exactly one tier; each tier gets a run of its own.",
    ),
    "AP7002": Code(
        "remote module without a pin",
        "error",
        "A branch or tag can mean something else tomorrow; what runs is pinned to a commit and to its content.",
    ),
    "AP7003": Code(
        "remote module that was not fetched",
        "error",
        "The pin says what the module must hold, and nothing on this machine holds it.",
    ),
    # --- AP8xxx: run ---
    "AP8001": Code(
        "unmet expectation of a scenario",
        "error",
        "The rehearsal went another way than the scenario says, so one of the two is not what you meant.",
    ),
    "AP8002": Code(
        "answer that is never given",
        "warning",
        "The rehearsal never gets there, so the scenario does not show what it seems to show.",
    ),
}
