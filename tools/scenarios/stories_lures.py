"""Lures that no mail filter and no click row shows in the usual way: Teams, a QR code, a partner's own mailbox."""

from __future__ import annotations

from tools.scenarios.cast import (
    CHROME_LINUX_UA,
    HTTPX_UA,
    MADRID,
    ROTTERDAM,
    SAFARI_PHONE,
    WARSAW,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.delivery import attachment, name_indicator, purged
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.rows import APPROVE, NON_INTERACTIVE, REDEEM, SIGN_INS, at_risk, new_ids, sign_in
from tools.scenarios.story import MALICIOUS, NO_ACTIVITY, Story
from tools.scenarios.teams import chat, chat_click, small_talk
from tools.scenarios.tenant import identity, named_location, risky_user
from tools.scenarios.traces import graph_calls
from tools.scenarios.traces_directory import security_info
from tools.scenarios.traces_office import mail_volume
from tools.scenarios.world import (
    CHROME_UA,
    EXCHANGE,
    GRAPH,
    OFFICE,
    OUTLOOK_MOBILE,
    TEAMS,
    Person,
    Place,
    laptop,
    script,
)


def teams_external_link() -> Story:
    s = Story(
        "teams-external-link",
        "A Teams message from another tenant: one colleague approved, the other was blocked",
        "2026-06-10 13:20",
    )
    agnieszka = Person("agnieszka.wrona@contoso.com", "Agnieszka Wrona", "Tender manager", "Sales")
    piotr = Person("piotr.zielinski@contoso.com", "Piotr Zielinski", "Bid writer", "Sales")
    machines = {agnieszka: laptop("CONTOSO-LT-0712"), piotr: laptop("CONTOSO-LT-0713")}
    employee(s, agnieszka, machines[agnieszka], at_home_in(WARSAW, machines[agnieszka], 2), days=24)
    employee(s, piotr, machines[piotr], at_home_in(WARSAW, machines[piotr], 2, home_days=()), days=21, letters=2)
    everybody_else(s, WARSAW, 4, 2)
    small_talk(s, agnieszka, "marta.kowal@fabrikam.com", "Marta Kowal")
    feed_noise(s)
    rented = Place("198.51.100.139", "51167", "FR", "Lauterbourg", "Grand Est")
    kit = Side(rented, script(CHROME_LINUX_UA))
    url = "https://rejoin-meeting-5kd.pages.dev/r/8841"
    chat(s, list(machines), s.clock("11:02:10"), "servicedesk@it-operations.example.com", "Service Desk", url)
    chat_click(s, agnieszka, s.clock("11:06:20"), url, WARSAW.office)
    own = Side(WARSAW.office, machines[agnieszka])
    flow = device_code(s, agnieszka, s.clock("11:09:02"), OFFICE, GRAPH, own, kit, wait=11)
    flow.approval["ConditionalAccessPolicies"] = [
        {"displayName": "Block device code flow (pilot group)", "result": "notApplied"},
        {"displayName": "Require MFA for all users", "result": "success"},
    ]
    refresh(s, agnieszka, flow, s.clock("11:41:37"), OFFICE, EXCHANGE, kit)
    refresh(s, agnieszka, flow, s.clock("12:30:15"), OFFICE, GRAPH, kit)
    graph_calls(
        s, agnieszka, s.clock("11:12:40"), OFFICE, rented, kit.device, flow,
        "/me", "/me/chats?$top=50", '/me/messages?$search="tender"', "/me/people?$top=200", "/me/drive/recent",
        scopes="Mail.ReadWrite Chat.Read Files.ReadWrite.All People.Read",
    )  # fmt: skip
    chat_click(s, piotr, s.clock("11:15:40"), url, WARSAW.office)
    attempt, where = new_ids(s), (WARSAW.office, machines[piotr], OFFICE, GRAPH)
    policies = (("Block device code flow (pilot group)", "failure"), ("Require MFA for all users", "success"))
    sign_in(s, SIGN_INS, piotr, s.clock("11:17:04"), *where, APPROVE, ids=attempt, result="50199")
    blocked = sign_in(
        s, SIGN_INS, piotr, s.clock("11:17:52"), *where, APPROVE, ids=attempt, result="53003", policies=policies
    )
    blocked["AuthenticationDetails"] = '[{"authenticationMethod":"Mobile app notification","succeeded":true}]'
    expired = s.clock("11:31:20")
    sign_in(s, NON_INTERACTIVE, piotr, expired, rented, kit.device, OFFICE, GRAPH, REDEEM, ids=attempt, result="70019")
    sign_in(s, SIGN_INS, piotr, s.clock("11:40"), WARSAW.office, machines[piotr], TEAMS, TEAMS)
    named_location(s, "Warsaw office", WARSAW.office)
    for who in machines:
        identity(s, who, groups=("Sales Poland",), country="Poland")
    s.expect(
        agnieszka,
        MALICIOUS,
        "A stranger's tenant sent her a link over Teams, she followed it to the device login page and three minutes "
        "later approved a code, her first ever. It was redeemed eleven seconds after that from a hosting company in "
        "France by something that calls itself Chrome on Linux, and that session read chats, people and tender mail. "
        "That the approval came from the trusted office on a compliant laptop is how the trick works.",
    )
    s.expect(
        piotr,
        NO_ACTIVITY,
        "He followed the same link, entered the code and passed MFA, but Conditional Access refused the sign-in "
        "(53003) and the poller's code ran out. No token was issued. He needs advice, not containment.",
    )
    return s


def quishing_zapped() -> Story:
    s = Story(
        "quishing-zapped",
        "A QR code in an attachment, scanned with a private phone; the mail was purged after the fact",
        "2026-03-24 18:05",
    )
    rafael = Person("rafael.quintero@contoso.com", "Rafael Quintero", "Payroll manager", "People")
    machine = laptop("CONTOSO-LT-0620")
    employee(s, rafael, machine, at_home_in(MADRID, machine, 1), risk="medium")
    others = everybody_else(s, MADRID, 7, 1)
    feed_noise(s)
    lure = mail(s, rafael, s.clock("08:14:09"), "rrhh@nominas-portal.example.com", "Payroll change: signature required")
    attachment(s, rafael, s.clock("08:14:09"), "Payroll-change-Q2.pdf", qr="https://firma-nomina.web.app/q/20f1")
    for who in others[:3]:
        mail(s, who, s.clock("08:14:11"), "rrhh@nominas-portal.example.com", "Payroll change: signature required",
             message=lure)  # fmt: skip
    purged(s, lure, s.clock("10:41:30"))
    rented = Place("198.51.100.141", "8560", "ES", "Madrid", "Madrid")
    tool = Side(rented, script(HTTPX_UA), at_risk("medium", "unfamiliarFeatures"))
    approve = Side(MADRID.mobile, SAFARI_PHONE)
    flow = device_code(s, rafael, s.clock("09:03:31"), OUTLOOK_MOBILE, EXCHANGE, approve, tool, wait=7, marked=True)
    for clock in ("09:58:12", "11:20:44", "14:06:05", "16:49:51"):
        refresh(s, rafael, flow, s.clock(clock), OUTLOOK_MOBILE, EXCHANGE, tool)
    for clock, items in (("09:05:40", 14), ("09:12:02", 11), ("11:22:30", 17), ("16:51:00", 9)):
        mail_volume(s, rafael, s.clock(clock), OUTLOOK_MOBILE, rented, flow.session, items=items)
    security_info(s, rafael, s.clock("09:31:17"), "Authenticator App with Code", rented)
    risky_user(s, rafael, "medium", "atRisk", hours=7)
    sign_in(s, SIGN_INS, rafael, s.clock("09:20"), MADRID.office, machine, EXCHANGE, EXCHANGE)
    identity(s, rafael, groups=("Payroll Iberia",), blast="Medium", country="Spain")
    s.expect(
        rafael,
        MALICIOUS,
        "No click exists because a phone's camera followed the QR code; the message was found to be phishing and "
        "purged two and a half hours after delivery, too late. Forty-nine minutes after delivery he approved a code on "
        "his own phone, on the network he always uses, and seven seconds later a Python client at a hosting company in "
        "the same city redeemed it, read his mailbox all day and registered a second factor of its own from there.",
    )
    return s


def partner_mailbox_lure() -> Story:
    s = Story(
        "partner-mailbox-lure",
        "The lure comes from a supplier's real mailbox; only its domain is on threat intelligence",
        "2026-04-14 12:40",
    )
    sanne = Person("sanne.devries@contoso.com", "Sanne de Vries", "Contract manager", "Procurement")
    machine = laptop("CONTOSO-LT-0334")
    employee(s, sanne, machine, at_home_in(ROTTERDAM, machine, 2))
    everybody_else(s, ROTTERDAM, 8, 2)
    feed_noise(s)
    supplier = "j.bakker@fabrikam.com"
    for ago, subject in (
        (26, "Framework agreement v3"),
        (17, "Re: rates 2026"),
        (11, "Site visit"),
        (4, "Re: annex C"),
    ):
        link = f"https://fabrikam.sharepoint.com/sites/contoso/{s.rng.randint(100, 999)}"
        at = s.clock("08:40", ago)
        message = mail(s, sanne, at, supplier, subject, link, first=False)
        click(s, sanne, at.replace(minute=52), link, message, ROTTERDAM.office, onward=())
    url = "https://docs.fabrikam-projects.example.net/d/8813"
    lure = mail(s, sanne, s.clock("10:05:22"), supplier, "Re: annex C - protected document", url, first=False)
    click(s, sanne, s.clock("10:12:30"), url, lure, ROTTERDAM.office, onward=())
    name_indicator(s, "domain-name:value", "docs.fabrikam-projects.example.net", "Device code phishing landing page")
    name_indicator(s, "url:value", url, "Device code phishing landing page", confidence=75)
    name_indicator(s, "domain-name:value", "cdn-metrics.example.org", "Malvertising", confidence=60)
    rented = Place("203.0.113.219", "8075", "NL", "Amsterdam", "Noord-Holland")
    tool = Side(rented, script(CHROME_UA))
    own = Side(ROTTERDAM.office, machine)
    flow = device_code(s, sanne, s.clock("10:16:05"), OFFICE, EXCHANGE, own, tool, wait=15, tie_correlation=False)
    refresh(s, sanne, flow, s.clock("10:58:20"), OFFICE, GRAPH, tool)
    refresh(s, sanne, flow, s.clock("12:01:43"), OFFICE, EXCHANGE, tool)
    graph_calls(
        s, sanne, s.clock("10:59:02"), OFFICE, rented, tool.device, flow,
        '/me/messages?$search="IBAN"', "/me/messages?$filter=from/emailAddress/address eq 'j.bakker@fabrikam.com'",
        scopes="Mail.ReadWrite Mail.Send",
    )  # fmt: skip
    mail_volume(s, sanne, s.clock("10:59:30"), OFFICE, rented, flow.session, items=8)
    s.expect(
        sanne,
        MALICIOUS,
        "The sender is a supplier she has written with for weeks, which says that the supplier was compromised, not "
        "that the link was good: its domain and URL are on threat intelligence as a device code landing page. She "
        "opened it, approved a code four minutes later, her first, and it was redeemed in a rented cloud in her own "
        "country where she never worked; that session looked for bank details and for the supplier's thread.",
    )
    return s


STORIES = (teams_external_link, quishing_zapped, partner_mailbox_lure)
