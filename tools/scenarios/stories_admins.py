"""People with power or with a habit: an administrator, a developer, and an application that stays behind."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.cast import (
    BENGALURU,
    BRUSSELS,
    DIRECTORY,
    GO_UA,
    TOKYO,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import DEVICE_LOGIN, click, feed_noise, indicator, mail
from tools.scenarios.rows import at_risk
from tools.scenarios.story import BENIGN, MALICIOUS, Story
from tools.scenarios.teams import small_talk
from tools.scenarios.tenant import identity
from tools.scenarios.traces import audit, graph_calls
from tools.scenarios.traces_directory import consent, core, directory_reads
from tools.scenarios.traces_office import mail_volume
from tools.scenarios.world import (
    ARM,
    AXIOS_UA,
    AZURE_POWERSHELL,
    EXCHANGE,
    GRAPH,
    GRAPH_TOOLS,
    NODE_UA,
    OFFICE,
    POWERSHELL_UA,
    VS_CODE,
    App,
    Json,
    Person,
    Place,
    guid,
    laptop,
    script,
)


def admin_through_group() -> Story:
    s = Story(
        "admin-through-group",
        "Two administrators by group, both with Azure PowerShell: one at the jump host, one phished at home",
        "2026-02-26 13:40",
    )
    kenji = Person("kenji.mori@contoso.com", "Kenji Mori", "Infrastructure lead", "IT")
    yuki = Person("yuki.tanaka@contoso.com", "Yuki Tanaka", "Cloud engineer", "IT")
    machines = {kenji: laptop("CONTOSO-LT-0801"), yuki: laptop("CONTOSO-LT-0802")}
    employee(s, kenji, machines[kenji], at_home_in(TOKYO, machines[kenji], 9, home_days=(2, 3)), days=23)
    employee(s, yuki, machines[yuki], at_home_in(TOKYO, machines[yuki], 9, home_days=()), days=21, letters=2)
    everybody_else(s, TOKYO, 4, 9)
    feed_noise(s)
    s.group("Tier 0 administrators", [kenji, yuki], assignable=True)
    s.directory["roleAssignments"].append(
        {
            "principalId": guid("group:Tier 0 administrators"),
            "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10",
            "roleDefinitionName": "Global Administrator",
        }
    )
    for who in machines:
        identity(s, who, roles=("Global Administrator",), groups=("Tier 0 administrators",), blast="High")
    shell = Side(TOKYO.office, script(POWERSHELL_UA))
    for ago in (21, 14, 7, 0):
        at = s.clock("01:20:30", ago)
        flow = device_code(s, yuki, at, AZURE_POWERSHELL, ARM, Side(TOKYO.office, machines[yuki]), shell, wait=8)
        if ago in (7, 0):
            directory_reads(
                s, yuki, at + timedelta(minutes=3), AZURE_POWERSHELL, TOKYO.office, POWERSHELL_UA, flow,
                "/tenantDetails?api-version=1.6", "/groups?api-version=1.6&$top=100",
            )  # fmt: skip
    lure = mail(
        s, kenji, s.clock("11:31:40"), "azure-noreply@service-health.example.com",
        "Action required: confirm tenant ownership with code", DEVICE_LOGIN,
    )  # fmt: skip
    click(s, kenji, s.clock("12:02:12"), DEVICE_LOGIN, lure, TOKYO.home, onward=())
    rented = Place("203.0.113.237", "20473", "JP", "Tokyo", "Tokyo")
    tool = Side(rented, script(POWERSHELL_UA))
    own = Side(TOKYO.home, machines[kenji])
    flow = device_code(s, kenji, s.clock("12:04:55"), AZURE_POWERSHELL, DIRECTORY, own, tool, wait=6)
    refresh(s, kenji, flow, s.clock("12:19:30"), AZURE_POWERSHELL, ARM, tool)
    refresh(s, kenji, flow, s.clock("13:08:11"), AZURE_POWERSHELL, DIRECTORY, tool)
    directory_reads(
        s, kenji, s.clock("12:06:20"), AZURE_POWERSHELL, rented, "Python/3.12 aiohttp/3.11.11", flow,
        *(
            f"/{thing}?api-version=1.61-internal&$top=999"
            for thing in ("users", "groups", "devices", "roleDefinitions", "directoryRoles", "servicePrincipals",
                          "applications", "oauth2PermissionGrants", "policies", "authorizationPolicy")
        ),
    )  # fmt: skip
    s.expect(
        kenji,
        MALICIOUS,
        "A stranger's mail sent a global administrator (through a role-assignable group) straight to the real device "
        "login page; three minutes after the click he approved Azure PowerShell at home in the evening, which he never "
        "did before, and it was redeemed at a rented server in the same city. Within two minutes that session dumped "
        "users, roles, applications and policies through the old directory API with a Python tool.",
    )
    s.expect(
        yuki,
        BENIGN,
        "The same role and the same tool, but as every Thursday: approved on the company laptop in the office, "
        "redeemed at the office egress, two small reads of the directory that she made last week too. No lure, nothing "
        "new.",
    )
    return s


def developer_phished() -> Story:
    s = Story(
        "developer-phished",
        "A developer with a weekly device code: the habitual one in the morning, another at noon",
        "2026-05-28 09:50",
    )
    arjun = Person("arjun.nair@contoso.com", "Arjun Nair", "Backend developer", "Engineering")
    machine = laptop("CONTOSO-LT-0931")
    habits = at_home_in(BENGALURU, machine, 5, home_days=(0, 4))
    employee(s, arjun, machine, habits)
    everybody_else(s, BENGALURU, 6, 5)
    feed_noise(s)
    small_talk(s, arjun, "dev@fabrikam.com", "Fabrikam API team", count=3)
    server = Place("192.0.2.176", "16509", "IN", "Mumbai", "Maharashtra")
    remote = Side(server, script(NODE_UA))
    for ago, clock in (
        (27, "04:20"),
        (23, "05:02"),
        (20, "04:41"),
        (14, "06:10"),
        (9, "04:18"),
        (7, "04:33"),
        (2, "05:20"),
    ):
        at = s.clock(clock, ago)
        device_code(s, arjun, at, VS_CODE, ARM, Side(habits.place(at), machine), remote, wait=9)
    at = s.clock("04:12:40")
    flow = device_code(s, arjun, at, VS_CODE, ARM, Side(BENGALURU.office, machine), remote, wait=8)
    refresh(s, arjun, flow, s.clock("05:19:20"), VS_CODE, ARM, remote)
    url = "https://copilot-seat-activation.vercel.app/start"
    lure = mail(
        s, arjun, s.clock("06:55:01"), "licensing@dev-seats.example.com", "Your AI assistant seat is ready", url
    )
    click(s, arjun, s.clock("07:31:16"), url, lure, BENGALURU.office)
    rented = Place("198.51.100.146", "9009", "SG", "Singapore", "")
    tool = Side(rented, script(AXIOS_UA))
    flow = device_code(s, arjun, s.clock("07:34:09"), OFFICE, GRAPH, Side(BENGALURU.office, machine), tool, wait=5)
    refresh(s, arjun, flow, s.clock("08:20:51"), OFFICE, EXCHANGE, tool)
    refresh(s, arjun, flow, s.clock("09:15:06"), OFFICE, GRAPH, tool)
    graph_calls(
        s, arjun, s.clock("07:36:00"), OFFICE, rented, tool.device, flow,
        "/me/drive/search(q='kubeconfig')", "/me/drive/search(q='.env')", '/me/messages?$search="token"',
        scopes="Mail.ReadWrite Files.ReadWrite.All",
    )  # fmt: skip
    s.expect(
        arjun,
        MALICIOUS,
        "His habit is Visual Studio Code on one server in Mumbai, and this morning's is one of those. The second is "
        "another thing: Microsoft Office, redeemed by axios at a hosting network in Singapore that nobody here used, "
        "three minutes after a licence lure was followed, and then files searched for kubeconfig and .env. A habit "
        "explains what resembles it and nothing else.",
    )
    return s


def consent_and_app() -> Story:
    s = Story(
        "consent-and-app",
        "The session gave an application consent and registered another one with a secret",
        "2026-03-30 14:30",
    )
    emile = Person("emile.claes@contoso.com", "Emile Claes", "Marketing operations manager", "Marketing")
    machine = laptop("CONTOSO-LT-0277")
    employee(s, emile, machine, at_home_in(BRUSSELS, machine, 2, home_days=(0, 4)), risk="low")
    everybody_else(s, BRUSSELS, 8, 2)
    feed_noise(s)
    url = "https://campaign-assets-9c1.web.app/brief/20"
    lure = mail(s, emile, s.clock("09:12:33"), "studio@brand-assets.example.com", "Spring campaign: asset review", url)
    click(s, emile, s.clock("09:41:28"), url, lure, BRUSSELS.home, onward=())
    rented = Place("198.51.100.148", "197540", "DE", "Nuremberg", "Bavaria")
    indicator(s, rented.ip, "SSH brute force", confidence=30, tags="scanner")
    tool = Side(rented, script(GO_UA, reported=True), at_risk("low", "unfamiliarFeatures"))
    own = Side(BRUSSELS.home, machine)
    flow = device_code(s, emile, s.clock("09:53:40"), GRAPH_TOOLS, GRAPH, own, tool, wait=12, marked=True)
    refresh(s, emile, flow, s.clock("10:50:22"), GRAPH_TOOLS, GRAPH, tool)
    refresh(s, emile, flow, s.clock("13:11:09"), GRAPH_TOOLS, GRAPH, tool)
    graph_calls(
        s, emile, s.clock("09:55:31"), GRAPH_TOOLS, rented, tool.device, flow,
        "/me", "/me/ownedObjects", "POST /applications", "POST /servicePrincipals", "/me/messages?$top=25",
        scopes="Application.ReadWrite.All Mail.ReadWrite Directory.Read.All",
    )  # fmt: skip
    scope = "Mail.ReadWrite Mail.Send Files.Read.All offline_access"
    consent(s, emile, s.clock("10:01:50"), App(guid("app:mailsync"), "MailSync Helper"), scope, rented)
    made = s.guid()
    target: Json = {"id": made, "displayName": "Contoso Archive", "type": "Application", "modifiedProperties": []}
    for clock, operation in (
        ("10:06:12", "Add application"),
        ("10:06:15", "Add service principal"),
        ("10:07:41", "Update application \u2013 Certificates and secrets management "),
    ):
        core(audit(s, operation, emile, s.clock(clock), [target], place=rented))
    s.directory["servicePrincipals"].append({"id": made, "appId": s.guid(), "displayName": "Contoso Archive"})
    mail_volume(s, emile, s.clock("10:12:30"), GRAPH_TOOLS, rented, flow.session, items=12)
    s.expect(
        emile,
        MALICIOUS,
        "A marketing manager has no use for the Graph command line tools; his first code was approved at home twelve "
        "minutes after a lure and redeemed at a hosting network abroad by a Go client. From that address the session "
        "consented to a mail application, registered another and gave it a secret: they outlive revoked sessions and "
        "have to be removed too. Low risk and an old brute-force indicator add little either way.",
    )
    return s


STORIES = (admin_through_group, developer_phished, consent_and_app)
