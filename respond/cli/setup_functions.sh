# What follows are the functions that the commands at the end use. Everything looks first, and creates what is missing.

say() { printf '%s\n' "$*" >&2; }
stop() {
  say "setup: $*"
  exit 1
}

# graph METHOD PATH [OPTION...]: one request to Microsoft Graph of this cloud.
graph() {
  method=$1 path=$2
  shift 2
  az rest --method "$method" --url "$GRAPH_URL/v1.0/$path" --resource "$GRAPH_URL" "$@"
}

# write_graph METHOD PATH JSON [HEADER...]
write_graph() {
  method=$1 path=$2 body=$3
  shift 3
  az rest --method "$method" --url "$GRAPH_URL/v1.0/$path" --resource "$GRAPH_URL" \
    --headers Content-Type=application/json "$@" --body "$body" --output none
}

# What az said, by kind. It has no exit codes for these.
is_absent() { case $problem in *NotFound* | *"Not Found"* | *"could not be found"*) return 0 ;; esac; return 1; }
is_there() {
  case $problem in
  *"already exists"* | *RoleAssignmentExists* | *"already in use"*) return 0 ;;
  esac
  return 1
}
is_final() {
  case $problem in *ResourceGroupNotFound* | *"Resource group"*"could not be found"* | *SubscriptionNotFound*) return 0 ;; esac
  return 1
}
is_refused() {
  case $problem in
  *Forbidden* | *RequestDenied* | *AuthorizationFailed* | *"Insufficient privileges"* | *"az login"*) return 0 ;;
  esac
  return 1
}

# attempt WHAT COMMAND...: $out is what it prints. What was created a moment ago is not known everywhere at once: wait for
# two minutes and a half at most. $when_absent is "empty" where "there is none" is an answer.
attempt() {
  what=$1
  shift
  for pause in 2 3 5 10 15 20 30 30 30 0; do
    if out=$("$@" 2>"$WORK/problem"); then return 0; fi
    problem=$(tr '\n\t' '  ' <"$WORK/problem")
    out=''
    if is_final; then break; fi
    if is_there; then return 0; fi
    if [ "$when_absent" = empty ] && is_absent; then return 0; fi
    if is_refused; then stop "$what: refused. Your account needs: $NEEDED. $problem"; fi
    if [ "$pause" = 0 ]; then break; fi
    say "$what: not yet; trying again in $pause s"
    sleep "$pause"
  done
  stop "$what: $problem. Run this script again when that is put right"
}
seek() { when_absent=empty && attempt "$@"; }
do_now() { when_absent=wait && attempt "$@"; }

# first NAME: the first of the words in $out; second: the last of them.
first() { printf '%s\n' "${out%%[[:space:]]*}"; }
last() { printf '%s\n' "${out##*[[:space:]]}"; }

# managed NAME CLIENT_ID: a user-assigned managed identity. $app is its client id, $principal its object id.
managed() {
  if [ -n "$2" ]; then
    principal_of "$2"
    return
  fi
  find="[?name=='$1'].[clientId, principalId, tags.respond]"
  seek "$1" az identity list --resource-group "$GROUP" --subscription "$SUBSCRIPTION" --query "$find" --output tsv
  if [ -z "$out" ]; then
    say "$1: create a managed identity in resource group $GROUP"
    do_now "$1" az identity create --name "$1" --resource-group "$GROUP" --subscription "$SUBSCRIPTION" \
      --tags "respond=$1" --output none
    do_now "$1" az identity list --resource-group "$GROUP" --subscription "$SUBSCRIPTION" --query "$find" --output tsv
  fi
  if [ "$(last)" != "$1" ]; then
    stop "$1: resource group $GROUP has a managed identity of that name which this script did not create. Not used"
  fi
  app=$(first)
  out=${out%[[:space:]]*}
  principal=$(last)
}

# principal_of CLIENT_ID: the settings name it.
principal_of() {
  app=$1
  seek "$1" graph GET "servicePrincipals(appId='$1')?\$select=id" --query id --output tsv
  principal=$out
  if [ -z "$principal" ]; then
    stop "$1: respond.toml names this client_id, and the tenant has no such identity. Empty it there to have one created"
  fi
}

# application NAME CLIENT_ID: an application of this tenant alone. $app is its client id, $object its object id,
# $principal the object id of its service principal.
application() {
  if [ -n "$2" ]; then
    principal_of "$2"
    do_now "$1" graph GET "applications(appId='$2')?\$select=id" --query id --output tsv
    object=$out
    refuse_owners "$1"
    return
  fi
  mine="applications(uniqueName='$1')"
  seek "$1" graph GET "$mine?\$select=id,appId" --query '[id, appId]' --output tsv
  if [ -z "$out" ]; then
    refuse_namesakes "$1"
    say "$1: create an application"
    do_now "$1" write_graph PATCH "$mine" \
      "{\"displayName\": \"$1\", \"signInAudience\": \"AzureADMyOrg\", \"notes\": \"Created by respond init\"}" \
      Prefer=create-if-missing
    do_now "$1" graph GET "$mine?\$select=id,appId" --query '[id, appId]' --output tsv
  fi
  object=$(first)
  app=$(last)
  refuse_owners "$1"
  seek "$1" graph GET "servicePrincipals(appId='$app')?\$select=id" --query id --output tsv
  if [ -z "$out" ]; then
    do_now "$1" write_graph POST servicePrincipals "{\"appId\": \"$app\"}"
    do_now "$1" graph GET "servicePrincipals(appId='$app')?\$select=id" --query id --output tsv
  fi
  principal=$out
}

# refuse_namesakes NAME: an application of that name, here or deleted, that somebody else has registered.
refuse_namesakes() {
  seek "$1" graph GET "applications?\$filter=displayName%20eq%20'$1'&\$select=appId,uniqueName" \
    --query "value[?uniqueName!='$1'].appId" --output tsv
  if [ -n "$out" ]; then
    stop "$1: application $(first) has that name, and this script did not create it. Not used: rename or delete it"
  fi
  seek "$1" graph GET "directory/deletedItems/microsoft.graph.application?\$filter=displayName%20eq%20'$1'&\$count=true" \
    --headers ConsistencyLevel=eventual --query 'value[].id' --output tsv
  if [ -n "$out" ]; then
    stop "$1: it was deleted. Restore it (Entra ID, App registrations, Deleted applications), or delete it permanently"
  fi
}

# refuse_owners NAME: who owns an application can sign in as it. The signed-in user is its owner if they created it.
refuse_owners() {
  seek "$1" graph GET "applications/$object/owners?\$select=id" --query "value[?id!='$ME'].id" --output tsv
  for owner in $out; do
    case " ${ACCEPTED_OWNERS:-} " in
    *" $owner "*) ;;
    *) stop "$1: $owner owns it and can sign in as it. Remove that owner, or accept with ACCEPTED_OWNERS='$owner'" ;;
    esac
  done
}

# certificate NAME FILE: a private key and its certificate in FILE, and the certificate registered with $object.
certificate() {
  pem=$2
  if [ ! -e "$pem" ]; then
    if [ ! -d "$(dirname "$pem")" ]; then
      stop "$pem: there is no such directory. Run this where the configuration is"
    fi
    openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj "/CN=$1" -keyout "$pem.new" -out "$WORK/public" \
      2>"$WORK/problem" || stop "$pem: openssl: $(tail -n 1 "$WORK/problem")"
    cat "$WORK/public" >>"$pem.new"
    mv "$pem.new" "$pem"
    say "$1: new private key and certificate in $pem, valid for 365 days"
  fi
  public=$(openssl x509 -in "$pem" -noout -pubkey 2>/dev/null) || public=''
  private=$(openssl pkey -in "$pem" -pubout -passin env:CERTIFICATE_PASSWORD 2>/dev/null) || private=''
  if [ -z "$public" ] || [ -z "$private" ]; then
    stop "$pem: not a certificate with its private key (PEM; the password in \$CERTIFICATE_PASSWORD). Not overwritten"
  fi
  if [ "$public" != "$private" ]; then
    stop "$pem: the certificate is not that of the private key. Not overwritten"
  fi
  if ! openssl x509 -in "$pem" -noout -checkend 0 >/dev/null; then
    stop "$pem: the certificate has expired. Make the next one with: respond init --renew"
  fi
  print=$(openssl x509 -in "$pem" -noout -fingerprint -sha1 | sed 's/.*=//' | tr -d ':')
  raw=$(openssl x509 -in "$pem" -outform DER | openssl base64 -A)
  do_now "$1" graph GET "applications/$object?\$select=keyCredentials" --query keyCredentials --output json
  case $out in
  *"$print"* | *"$raw"*)
    say "$1: certificate $print is registered"
    return
    ;;
  esac
  # The list is replaced as a whole, so those that are there go with it.
  case $out in
  '' | null | '[]') others='' ;;
  *) others="${out%]}," ;;
  esac
  key="{\"type\": \"AsymmetricX509Cert\", \"usage\": \"Verify\", \"displayName\": \"$1 $print\", \"key\": \"$raw\"}"
  do_now "$1" write_graph PATCH "applications/$object" "{\"keyCredentials\": ${others:-[}$key]}"
  say "$1: certificate $print registered"
}

# federated NAME ISSUER SUBJECT AUDIENCE: tokens of that issuer about that subject sign in as $object.
federated() {
  credentials="applications/$object/federatedIdentityCredentials"
  seek "$1" graph GET "$credentials" \
    --query "value[?issuer=='$2' && subject=='$3'].[id, audiences[0]]" --output tsv
  if [ -z "$out" ]; then
    name="respond-$(printf '%s %s' "$2" "$3" | cksum | tr ' ' '-')"
    do_now "$1" write_graph POST "$credentials" \
      "{\"name\": \"$name\", \"issuer\": \"$2\", \"subject\": \"$3\", \"audiences\": [\"$4\"]}"
    say "$1: tokens of $2 about $3 sign in"
  elif [ "$(last)" != "$4" ]; then
    do_now "$1" write_graph PATCH "$credentials/$(first)" "{\"audiences\": [\"$4\"]}"
  fi
}

# held_by PRINCIPAL: permissions of Microsoft Graph that it has already, in $held.
held_by() {
  do_now "$1" graph GET "servicePrincipals/$1/appRoleAssignments?\$top=999" --query 'value[].appRoleId' --output tsv
  held=" $(printf '%s' "$out" | tr '\n\t' '  ') "
}

# grant PRINCIPAL PERMISSION: an application permission of Microsoft Graph, with admin consent.
grant() {
  role=$(printf '%s\n' "$ROLES" | while read -r name id; do [ "$name" = "$2" ] && echo "$id"; done) || true
  if [ -z "$role" ]; then
    say "$2: Microsoft Graph of this cloud has no such permission; what needs it cannot be done"
    MISSING="$MISSING $2"
    return
  fi
  case $held in *" $role "*) return ;; esac
  do_now "$2" write_graph POST "servicePrincipals/$1/appRoleAssignments" \
    "{\"principalId\": \"$1\", \"resourceId\": \"$GRAPH\", \"appRoleId\": \"$role\"}"
  say "$2: granted"
}

# assign PRINCIPAL ROLE: an Azure role on the workspace.
assign() {
  seek "$2" az role assignment list --scope "$WORKSPACE" --include-inherited \
    --query "[?principalId=='$1' && roleDefinitionName=='$2'].id" --output tsv
  if [ -n "$out" ]; then return; fi
  seek "$2" az role definition list --name "$2" --query '[].name' --output tsv
  if [ -z "$out" ]; then
    say "$2: Azure of this cloud has no such role; what needs it cannot be done"
    MISSING="$MISSING '$2'"
    return
  fi
  do_now "$2" az role assignment create --assignee-object-id "$1" --assignee-principal-type "$PRINCIPAL_TYPE" \
    --role "$2" --scope "$WORKSPACE" --output none
  say "$2: assigned"
}

# sign_in: with the tenant, in the cloud of the settings.
sign_in() {
  if [ "$(az cloud show --query name --output tsv)" != "$CLOUD" ]; then
    say "az works with another cloud: changing it to $CLOUD (back: az cloud set --name ...)"
    az cloud set --name "$CLOUD" --output none
  fi
  if [ "$(az account show --query tenantId --output tsv 2>/dev/null || true)" != "$TENANT" ]; then
    az login --tenant "$TENANT" --output none
  fi
  # A service principal that is signed in is nobody in particular.
  ME=$(graph GET 'me?$select=id' --query id --output tsv 2>/dev/null) || ME=''
}

# find_workspace ID: $WORKSPACE is its resource id. It may be in any subscription of the tenant.
find_workspace() {
  if [ -z "$WORKSPACE" ]; then
    do_now "workspace $1" az account list --query "[?tenantId=='$TENANT'].id" --output tsv
    for subscription in $out; do
      seek "workspace $1" az monitor log-analytics workspace list --subscription "$subscription" \
        --query "[?customerId=='$1'].id" --output tsv
      if [ -n "$out" ]; then
        WORKSPACE=$(first)
        break
      fi
    done
  fi
  if [ -z "$WORKSPACE" ]; then
    stop "workspace $1: not in any subscription of tenant $TENANT that you can see. You need Reader on it"
  fi
  rest=${WORKSPACE#/subscriptions/}
  SUBSCRIPTION=${rest%%/*}
  rest=${rest#*/*/}
  if [ -z "$GROUP" ]; then GROUP=${rest%%/*}; fi
}

# agreed: a person may still say no.
agreed() {
  if [ -t 0 ]; then
    printf 'Continue? [y/N] ' >&2
    read -r answer
    case $answer in [yY]*) ;; *) stop "nothing was created" ;; esac
  fi
}

# fill --fill KEY=VALUE...: write the ids into respond.toml.
fill() {
  if [ -f "$CONFIG/respond.toml" ] && [ -x "$PYTHON" ]; then
    respond_init "$@"
  else
    say "Run this on the machine that has $CONFIG/respond.toml:"
    say "  respond init${TENANT_NAME:+ --tenant $TENANT_NAME} --dir '$CONFIG' $*"
  fi
}

respond_init() { "$PYTHON" -m respond init ${TENANT_NAME:+--tenant "$TENANT_NAME"} --dir "$CONFIG" "$@"; }
