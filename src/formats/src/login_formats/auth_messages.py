# SPDX-License-Identifier: Apache-2.0
"""What sshd, dropbear, sudo, su and login write of logins, and what of theirs is known to be none.

One attempt is one event: of the lines that tell of it one is taken, and the others are known to be no login.
- sshd: "Accepted ..." or "Failed ...". Of keyboard-interactive with PAM, sshd tells "error: PAM: ..." for each attempt
  of a user that exists (unless a PAM module shows him a message), and "Failed ..." only of later ones or with LogLevel
  VERBOSE; for one that does not exist it tells both. "Invalid user", "User ... not allowed" and the like come before
  such a line, the end of the connection after it. "Failed none" is how a client asks which methods there are; "Partial"
  and "Postponed" are no decision yet.
- sshd_keys: where sshd takes keys only, its default LogLevel tells of no key that it refuses. There an attempt is a
  user that sshd refuses by name ("Invalid user", "not allowed", which all versions tell once a connection), else the
  connection that ends while a user authenticates (told since OpenSSH 7.6), and "Failed ..." is none.
- sudo: a command, or one line for a refusal of whatever reason. With log_exit_status a second line ends with "EXIT=0";
  a command whose last argument looks like that cannot be told from it, and is none either.
- su, login: one line each; the "+ pts/1 ..." of an older su, and login's "TOO MANY LOGIN TRIES", repeat them.

Names come from whoever knocks, and may look like the rest of a line. So each pattern is tied to the end that only the
program writes, or its names are those of accounts. The rows of a program are tried in their order.
"""

import re
from collections.abc import Callable
from typing import NamedTuple


class Told(NamedTuple):
    """What a text says that `pattern` fits from its begin to its end."""

    pattern: str
    outcome: str | None
    """None: it is known to be no login, or to tell of one once more."""
    reason: str | None = None
    user: str | None = None
    """Who it is, where the text does not name him."""
    method: str | None = None
    """How, where the text does not name it."""
    ambiguous: bool = False
    """Whether what others choose follows the address."""


Rows = tuple[Told, ...]
Compiled = list[tuple[Callable[[str], re.Match[str] | None], Told]]


def _none(*patterns: str) -> Rows:
    return (Told(f"(?:{'|'.join(patterns)}).*", None),)


_SSH = r"(?P<method>\S+) for "
_UNKNOWN = r"(?:invalid|illegal) user "
ADDRESS = r" from (?P<address>\S+) port (?P<port>[0-9]{1,5}) ssh2"
# what may follow that no client has a say in: nothing, or a key
_PLAIN = r"(?:: [A-Z0-9-]+ (?:SHA256|MD5):[A-Za-z0-9+/=:]+)?(?: \[preauth\])?"
_PAM = r"error: PAM: (?:Have exhausted maximum number of retries for service|[^:]{1,80}?) for "

_END = r"(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting|(?:[\w-]+: )?Connection from) "

_ACCEPTED: Rows = (
    Told(rf"Accepted {_SSH}(?P<user>.*){ADDRESS}{_PLAIN}", "success"),
    # certificates, names of clients and principals follow
    Told(rf"Accepted {_SSH}(?P<user>.*?){ADDRESS}: .*", "success", ambiguous=True),
)
_NEVER = _none(
    "Failed none for ",
    r"Partial \S+ for ",
    r"Postponed \S+ for ",
    r"pam_\w+\(",
    r"PAM [0-9]+ more authentication failure",
    "PAM service",
    "ROOT LOGIN REFUSED FROM ",
    "input_userauth_request: ",
    "error: maximum authentication attempts exceeded for ",
    _END + _UNKNOWN,
    r"(?:Connection (?:closed|reset) by|Disconnected from) (?:user |\S+(?: port [0-9]+)?(?: \[preauth\])?$)",
    "Received disconnect from ",
    "Disconnecting: ",
    r"Connection from \S+ port ",
    "Did not receive identification string",
    "Bad protocol version identification ",
    "banner exchange: ",
    "Unable to negotiate with ",
    "error: (?:kex_|Received disconnect|Protocol major|beginning MaxStartups|PAM: pam_)",
    "fatal: (?:Timeout before|Unable to negotiate|Read from socket|Write failed|no matching|ssh_|mm_|Access denied)",
    "Timeout before authentication for ",
    "(?:drop|past MaxStartups|exited MaxStartups|beginning MaxStartups|srclimit_)",
    "Server listening on ",
    "Received signal ",
    "Received SIGHUP",
    "Exiting on signal ",
    "Starting session: ",
    "Close session: ",
    "Closing connection to ",
    "Transferred: ",
    "User child is on pid ",
    "subsystem request for ",
    "session opened for ",
    "(?:open|close|sent status|opendir|closedir|stat|lstat|mkdir|rename|remove|set|forced close)\\b",
    "reverse mapping checking ",
    r"Address \S+ maps to ",
    "Nasty PTR record ",
    "Authentication refused: ",
    "Found matching ",
    "Accepted (?:key|certificate) ",
    "debug[1-3]: ",
)

SSHD: Rows = (
    *_ACCEPTED,
    *_none("Failed none for ", rf"Failed keyboard-interactive/pam for (?!{_UNKNOWN})", f"{_PAM}{_UNKNOWN}"),
    Told(rf"Failed {_SSH}{_UNKNOWN}(?P<user>.*){ADDRESS}{_PLAIN}", "failure", "invalid_user"),
    Told(rf"Failed {_SSH}(?P<user>.*){ADDRESS}{_PLAIN}", "failure"),
    Told(rf"Failed {_SSH}{_UNKNOWN}(?P<user>.*?){ADDRESS}: .*", "failure", "invalid_user", ambiguous=True),
    Told(rf"Failed {_SSH}(?P<user>.*?){ADDRESS}: .*", "failure", ambiguous=True),
    Told(
        rf"{_PAM}(?P<user>.*) from (?P<address>\S+)(?: via \S+)?(?: \[preauth\])?",
        "failure",
        "authentication_failed",
        method="keyboard-interactive/pam",
    ),
    *_none(
        "(?:Invalid|Illegal) user ",
        "User .* not allowed because ",
        f"{_END}authenticating user ",
    ),
    *_NEVER,
)
SSHD_KEYS: Rows = (
    *_ACCEPTED,
    Told(
        r"(?:Invalid|Illegal) user (?P<user>.*) from (?P<address>\S+)(?: port (?P<port>[0-9]{1,5}))?",
        "failure",
        "invalid_user",
    ),
    Told(r"User (?P<user>.*) from (?P<address>\S+) not allowed because .*", "failure", "not_allowed"),
    Told(r"User (?P<user>.*) not allowed because .*", "failure", "not_allowed"),
    # what follows may be of the client; the user is an account, whose name holds no address
    Told(
        rf"{_END}authenticating user (?P<user>.*?) (?P<address>\S+) port (?P<port>[0-9]{{1,5}})(?: timed out|: .*)?"
        r"(?: \[preauth\])?",
        "failure",
        "no_key_accepted",
    ),
    Told(
        r"fatal: Access denied for user (?P<user>.*) by PAM account configuration(?: \[preauth\])?",
        "failure",
        "not_allowed",
    ),
    *_none("Failed ", "error: PAM: "),
    *_NEVER,
)

_PEER = r" from \[?(?P<address>[^\s\[\]]+)\]?:(?P<port>[0-9]{1,5})"
_NAMED = r"'(?P<user>[^']*)'"
_DROPBEAR_ACCEPTED: Rows = (
    *_none(".*, extra auth required$"),
    Told(rf"(?i:(?:PAM )?password) auth succeeded for {_NAMED}{_PEER}", "success", method="password"),
    Told(rf"(?i:Pubkey) auth succeeded for {_NAMED}(?: with .*)?{_PEER}", "success", method="publickey"),
    Told(rf"Auth succeeded with blank password for {_NAMED}{_PEER}", "success", method="none"),
    Told(rf"Login attempt for nonexistent user(?: {_NAMED})?{_PEER}", "failure", "invalid_user"),
)
_DROPBEAR_NEVER = _none(
    "Child connection from ", "Early exit", r"Exit (?:before auth|\()", "Premature exit", "Running in background",
    "Not backgrounding", "Terminated by signal", "Failed (?:listening|loading|reading|binding)", "pam_", "Disconnect",
    "Pubkey auth attempt with unknown algo ", "Client trying multiple usernames",
)  # fmt: skip
DROPBEAR: Rows = (
    *_DROPBEAR_ACCEPTED,
    Told(rf"(?i:Bad (?:PAM )?password attempt) for {_NAMED}{_PEER}", "failure", "bad_password", method="password"),
    Told(rf"(?i:Pubkey) auth bad signature for {_NAMED}(?: with .*)?{_PEER}", "failure", "bad_key", method="publickey"),
    Told(rf"Login attempt with wrong user (?P<user>\S+){_PEER}", "failure", "not_allowed"),
    Told(rf"User (?:account )?{_NAMED} (?:is locked|has invalid shell, rejected)", "failure", "not_allowed"),
    Told(rf"User {_NAMED} has blank password, rejected", "failure", "not_allowed", method="password"),
    Told(rf"Logins are restricted to the group \S+ but user {_NAMED} is not a member", "failure", "not_allowed"),
    Told("root login rejected", "failure", "not_allowed", user="root"),
    *_DROPBEAR_NEVER,
)
DROPBEAR_KEYS: Rows = (
    *_DROPBEAR_ACCEPTED,
    Told(
        r"Exit before auth(?: from <\[?(?P<address>[^\s\[\]]+)\]?:(?P<port>[0-9]{1,5})>)?:? "
        r"\(user '(?P<user>[^']*)', [0-9]+ fails\): .*",
        "failure",
        "no_key_accepted",
    ),
    *_none("Bad ", "bad ", "Pubkey auth bad ", "Login attempt with ", "User ", "Logins are ", "root login rejected"),
    *_DROPBEAR_NEVER,
)

_WHO = r"(?P<user>[^:;]+) : +"
# of which a line has some, in this order: no terminal, no TTY
_FIELDS = r"(?:HOST|TTY|CHROOT|PWD|CWD|USER|GROUP|TSID|ENV|COMMAND)=.*"
_SUDO_REASONS = (
    ("[0-9]+ incorrect password attempts?", "bad_password"),
    ("a password is required", "password_required"),
    ("a terminal is required to read the password.*?", "password_required"),
    ("no tty present and no askpass program specified", "password_required"),
    ("sorry, you must have a tty to run sudo", "terminal_required"),
    ("command not allowed", "command_not_allowed"),
    ("(?:LDAP: )?user NOT (?:in sudoers|authorized on host)", "not_in_sudoers"),
    ("account validation failure, is your account locked\\?", "account_locked"),
    ("(?:[Aa]ccount|[Pp]assword) (?:or password is )?expired.*?", "account_expired"),
    (".+?", "refused"),
)
SUDO: Rows = (
    *_none(r"pam_\w+\(", r"[^:;]+ : \(command continued\)"),
    Told(rf"[^:;]+ : +{_FIELDS} ; (?:EXIT=[0-9]{{1,3}}|SIGNAL=\w+)", None),
    Told(rf"{_WHO}{_FIELDS}", "success"),
    # warnings: the decision follows
    *_none(
        r"[^:;]+ : +problem with defaults entries ;",
        r"[^:;]+ : +unable to (?:resolve host|open|stat|read|write|lock|chown|mkdir|create|truncate) ",
    ),
    *(Told(rf"{_WHO}{text} ;.*", "failure", reason) for text, reason in _SUDO_REASONS),
)


SU: Rows = (
    Told(r"\(to (?P<target>.*)\) (?P<user>\S+) on \S+", "success"),
    Told(r"FAILED SU \(to (?P<target>.*)\) (?P<user>\S+) on \S+", "failure", "authentication_failed"),
    Told(r"Successful su for (?P<target>.*) by (?P<user>\S+)", "success"),
    Told(r"FAILED su for (?P<target>.*) by (?P<user>\S+)", "failure", "authentication_failed"),
    # of the BSDs and macOS, and of Solaris
    Told(r"BAD SU (?P<user>\S+) to (?P<target>\S+)(?: on /dev/\S+)?", "failure", "authentication_failed"),
    Told(r"(?P<user>\S+) to (?P<target>\S+) on /dev/\S+", "success"),
    Told(r"'su (?P<target>.*)' succeeded for (?P<user>\S+) on \S+", "success"),
    Told(r"'su (?P<target>.*)' failed for (?P<user>\S+) on \S+", "failure", "authentication_failed"),
    *_none(r"pam_\w+\(", r"[+-] \S+ \S+:"),
)

_LOGIN = r"on '[^']*'(?: from '(?P<address>[^']*)')? FOR '(?P<user>.*)'"
# of util-linux; a terminal stands where there is no host
_LOGIN_FROM = r"FROM (?:(?:tty|pts/|console)\S*|(?P<address>\S+)) FOR (?P<user>.*)"
LOGIN: Rows = (
    Told(r"LOGIN ON \S+ BY (?P<user>.*?)(?: FROM (?P<address>\S+))?", "success"),
    Told(r"ROOT LOGIN +(?i:on) \S+(?: (?i:from) '?(?P<address>[^\s']+)'?)?", "success", user="root"),
    Told(rf"FAILED LOGIN \([0-9]+\) (?i:{_LOGIN}), [^,']*", "failure", "authentication_failed"),
    Told(rf"FAILED LOGIN (?:[0-9]+|SESSION) {_LOGIN_FROM}, [^,]*", "failure", "authentication_failed"),
    Told(rf"TOO MANY LOGIN TRIES \([0-9]+\) {_LOGIN_FROM}, [^,]*", "failure", "authentication_failed"),
    # of BusyBox
    Told(r"root login on '[^']*'(?: from '(?P<address>[^']*)')?", "success", user="root"),
    Told(r"invalid password for '(?P<user>.*)' on '[^']*'(?: from '(?P<address>[^']*)')?", "failure", "bad_password"),
    *_none(r"pam_\w+\(", r"TOO MANY LOGIN TRIES \([0-9]+\) on ", "DIALUP AT "),
)

_OTHERS = {"sudo": ("sudo", SUDO), "su": ("su", SU), "login": ("console_login", LOGIN)}


def compiled(sshd: Rows, dropbear: Rows) -> dict[str, tuple[str, Compiled]]:
    """Return by program the action, and what its texts may be."""
    programs = dict.fromkeys(("sshd", "sshd-session", "sshd-auth"), ("ssh_login", sshd))
    return {
        program: (action, [(re.compile(told.pattern, re.DOTALL).fullmatch, told) for told in rows])
        for program, (action, rows) in {**programs, "dropbear": ("ssh_login", dropbear), **_OTHERS}.items()
    }
