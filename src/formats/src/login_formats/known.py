# SPDX-License-Identifier: Apache-2.0
"""What is known to be no login: events and lines by format. What is neither these nor a login is unrecognised.

So a list here is closed: an event or a line that a new version of a program brings is not in it, and is told of.
"""

import re
from collections.abc import Callable, Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- Okta ------------------------------------------------------------------------------------------------------------

OKTA_EVENTS = frozenset(
    {
        *(
            f"user.session.{name}"
            for name in (
                "access_admin_app",
                "clear",
                "context.change",
                "end",
                "expire",
                "impersonation.end",
                "impersonation.extend",
                "impersonation.grant",
                "impersonation.initiate",
                "impersonation.revoke",
                "universal_logout",
            )
        ),
        *(
            f"user.authentication.{name}"
            for name in (
                "auth",
                "auth_unconfigured_identifier",
                "auth_via_AD_agent",
                "auth_via_AD_app",
                "auth_via_IDP",
                "auth_via_LDAP_agent",
                "auth_via_LDAP_app",
                "auth_via_inbound_SAML",
                "auth_via_inbound_delauth",
                "auth_via_iwa",
                "auth_via_mfa",
                "auth_via_radius",
                "auth_via_richclient",
                "auth_via_social",
                "authenticate",
                "dsso_via_non_priority_source",
                "slo",
                "sso",
                "universal_logout",
                "verify",
            )
        ),
    }
)
"""Sessions and the steps of authentications, each by its name: a new one could be another way to log in."""

_OKTA_FAMILIES = _words(
    "access account analytics app application certification core credential csr device directory domain email "
    "entitlement event_hook feature governance group hook iam identity_source inline_hook integration "
    "master_application mim network oauth2 org pam pki platform plugin policy push_provider rate_limit "
    "scheduled_action scim security self_service support system task telephony transactional user workflows zone"
)
_OKTA_BY_NAME = ("user.session.", "user.authentication.")


def okta_event(kind: str) -> bool:
    """Return whether events of this eventType are known to be no login."""
    if kind in OKTA_EVENTS:
        return True
    return "." in kind and kind.partition(".")[0] in _OKTA_FAMILIES and not f"{kind}.".startswith(_OKTA_BY_NAME)


# -- CloudTrail ------------------------------------------------------------------------------------------------------

SIGNIN = "signin.amazonaws.com"
_SIGNIN_EVENTS = frozenset(
    {
        "CheckMfa",
        "CredentialChallenge",
        "CredentialVerification",
        "ExitRole",
        "GetSigninToken",
        "PasswordRecoveryCompleted",
        "PasswordRecoveryRequested",
        "RenewRole",
        "SwitchRole",
        "UserAuthentication",
    }
)


def cloudtrail_event(source: str, name: str) -> bool:
    """Return whether this event of this eventSource is known to be no sign-in to the console."""
    if source == SIGNIN:
        return name in _SIGNIN_EVENTS
    return source.endswith(".amazonaws.com") and name not in ("", "ConsoleLogin")


# -- Keycloak --------------------------------------------------------------------------------------------------------

_KEYCLOAK = _words(
    "AUTHREQID_TO_TOKEN CLIENT_DELETE CLIENT_INFO CLIENT_INITIATED_ACCOUNT_LINKING CLIENT_LOGIN CLIENT_REGISTER "
    "CLIENT_UPDATE CODE_TO_TOKEN CUSTOM_REQUIRED_ACTION DELETE_ACCOUNT EXECUTE_ACTIONS EXECUTE_ACTION_TOKEN "
    "FEDERATED_IDENTITY_LINK FEDERATED_IDENTITY_OVERRIDE_LINK GRANT_CONSENT IDENTITY_PROVIDER_FIRST_LOGIN "
    "IDENTITY_PROVIDER_LINK_ACCOUNT IDENTITY_PROVIDER_LOGIN IDENTITY_PROVIDER_POST_LOGIN "
    "IDENTITY_PROVIDER_RESPONSE IDENTITY_PROVIDER_RETRIEVE_TOKEN IMPERSONATE INTROSPECT_TOKEN INVALID_SIGNATURE "
    "INVITE_ORG JWT_BEARER LOGOUT OAUTH2_DEVICE_AUTH OAUTH2_DEVICE_CODE_TO_TOKEN OAUTH2_DEVICE_VERIFY_USER_CODE "
    "OAUTH2_EXTENSION_GRANT PERMISSION_TOKEN PUSHED_AUTHORIZATION_REQUEST REFRESH_TOKEN REGISTER REGISTER_NODE "
    "REMOVE_CREDENTIAL REMOVE_FEDERATED_IDENTITY REMOVE_TOTP RESET_PASSWORD RESTART_AUTHENTICATION REVOKE_GRANT "
    "SEND_IDENTITY_PROVIDER_LINK SEND_RESET_PASSWORD SEND_VERIFY_EMAIL TOKEN_EXCHANGE UNREGISTER_NODE "
    "UPDATE_CONSENT UPDATE_CREDENTIAL UPDATE_EMAIL UPDATE_PASSWORD UPDATE_PROFILE UPDATE_TOTP "
    "USER_DISABLED_BY_PERMANENT_LOCKOUT USER_DISABLED_BY_TEMPORARY_LOCKOUT USER_INFO_REQUEST USER_SESSION_DELETED "
    "VALIDATE_ACCESS_TOKEN VERIFY_EMAIL VERIFY_PROFILE"
)
KEYCLOAK_EVENTS = frozenset({*_KEYCLOAK, *(f"{name}_ERROR" for name in _KEYCLOAK)})
"""User events that are neither LOGIN nor LOGIN_ERROR."""

KEYCLOAK_OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "ACTION"})
"""What admin events tell of."""

KEYCLOAK_NO_ATTEMPTS = _words(
    "already_logged_in client_disabled client_not_found code_verifier_missing cookie_not_found "
    "display_unsupported expired_code illegal_origin interaction_required invalid_authn_request invalid_client "
    "invalid_client_credentials invalid_code invalid_code_challenge_method invalid_code_verifier invalid_config "
    "invalid_issuer invalid_redirect_uri invalid_request invalid_saml_authn_request invalid_saml_document "
    "invalid_saml_response invalid_signature login_required not_logged_in pkce_verification_failed realm_disabled "
    "registration_disabled session_expired ssl_required unauthorized_client unknown_identity_provider "
    "unsupported_response_type user_session_not_found"
)
"""Errors of LOGIN_ERROR that come before anybody has said who he is."""

KEYCLOAK_ATTEMPTS = _words(
    "different_user_authenticated identity_provider_error identity_provider_login_failure "
    "invalid_user_credentials not_allowed password_missing rejected_by_user resolve_required_actions "
    "user_disabled user_not_found user_temporarily_disabled username_missing"
)
"""Errors that are an attempt to log in, also where it names nobody."""

# -- ECS -------------------------------------------------------------------------------------------------------------

ECS_CATEGORIES = _words(
    "api configuration database driver email file host iam intrusion_detection library malware network package "
    "process registry session threat vulnerability web"
)
"""All but authentication."""

ECS_KINDS = ("alert", "asset", "enrichment", "metric", "pipeline_error", "signal", "state")
"""All but event."""

# -- auth.log --------------------------------------------------------------------------------------------------------

PROGRAMS = _words(
    "(systemd) CRON anacron atd audit auditd chage chfn chpasswd chsh cron crond dbus dbus-daemon "
    "gnome-keyring-daemon gpasswd groupadd groupdel groupmod kernel newsyslog newusers passwd polkitd "
    "polkitd-authority-agent realmd rsyslogd runuser sddm-helper sssd sssd_be sssd_nss syslog-ng syslogd systemd "
    "systemd-homed systemd-logind systemd-machined systemd-user unix_chkpwd useradd userdel usermod"
)
"""Programs of auth.log that tell of no login, or of one that another program tells of."""

# What PAM and its modules write in the name of any program
_PAM = ("PAM ", r"pam_\w+[(:\[ ]", r"\w+\(pam_\w+\)")
_LINES: Mapping[str, tuple[str, ...]] = {
    "sshd": (
        "Accepted (?:key|certificate ID) ",
        "Address \\S+ maps to ",
        "Authentication refused: ",
        "Authentication tried for ",
        "Bad (?:packet length|protocol version|remote protocol)",
        "Certificate invalid",
        "Changed root directory to ",
        "Close session: ",
        "Closing connection to ",
        "Connection (?:closed|reset) by ",
        "Connection from ",
        "Corrupted MAC ",
        "Could not ",
        "Deprecated ",
        "Did not receive identification string ",
        "Disconnected from ",
        "Disconnecting",
        "Exiting on signal ",
        "Failed \\S+ for ",  # sshd_keys alone lets it come to this: it counts connections
        "Found matching ",
        "(?:Illegal|Invalid|invalid) user ",
        "Nasty PTR record ",
        "Partial ",
        "Postponed ",
        "Protocol major versions differ",
        "ROOT LOGIN REFUSED ",
        "Read from socket failed",
        "Received (?:SIG|disconnect from |request to connect |signal )",
        "Server listening on ",
        "Set /proc/self/oom_",
        "Starting session: ",
        "Timeout before authentication ",
        "Timeout, client not responding",
        "Too many authentication failures",
        "Transferred: ",
        "Unable to negotiate ",
        "User \\S.* not allowed because ",
        "User child is on pid ",
        "Write failed",
        "banner exchange: ",
        "(?:beginning|exited) MaxStartups throttling",
        "client_loop",
        "debug[1-3]: ",
        "drop connection ",
        "(?:error|fatal|warning): ",
        "input_userauth_request: ",
        "lastlog_",
        "matching key found",
        "maximum authentication attempts exceeded",
        "packet_write_",
        "padding error",
        "penalty: ",
        "refused (?:local|remote) port forward",
        "reverse mapping checking ",
        "rexec line ",
        "session opened for local user ",
        "srclimit_",
        "ssh_dispatch_run_fatal: ",
        "subsystem request for ",
        "syslogin_perform_logout",
    ),
    "sudo": (
        r"[^:;]+ : \(command continued\)",
        r"[^:;]+ : problem with defaults entries",
        "error ",
        "unable to ",
    ),
    "su": ("[+-] ", "failed to open the session"),
    "login": ("TOO MANY LOGIN TRIES ", "DIALUP AT ", "REPEATED LOGIN FAILURES ", "FATAL: ", "session timed out"),
}
"""By program, how a line begins that tells of no attempt, or of one that another line tells of."""
_BEGINS: Mapping[str, Callable[[str], object]] = {
    program: re.compile("|".join((*_PAM, *lines)), re.DOTALL).match for program, lines in _LINES.items()
}
# of syslogd itself; a host may stand before it
_MARK = re.compile(r"(?:\S+ )?-- MARK --").fullmatch
_PAM_BEGINS = re.compile("|".join(_PAM)).match


def auth_line(program: str | None, text: str) -> bool:
    """Return whether this line of this program of auth.log is known to be no login."""
    if program is None:
        return _MARK(text) is not None
    if program in PROGRAMS or program.endswith("(pam_unix)"):
        return True
    known = _BEGINS.get("sshd" if program.startswith("sshd-") else program, _PAM_BEGINS)
    return known(text) is not None
