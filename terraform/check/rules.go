package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"larder.dev/local"
)

// planned is an environment's plan, as the rules ask for it.
type planned struct {
	environment string
	resources   []resource
	root        string // of the repository
}

func (p planned) prod() bool { return p.environment == "prod" }

// of are the resources of a kind. A kind that there is none of is a fault: a rule that looks at nothing would keep nothing.
func (p planned) of(kind string, report func(string, ...any)) []resource {
	var found []resource
	for _, r := range p.resources {
		if r.Type == kind {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		report("there is no %s", kind)
	}
	return found
}

// rules are what must be true of a plan. They report what isn't.
var rules = []struct {
	name string
	keep func(p planned, report func(string, ...any))
}{
	{"PostgreSQL is highly available, private, and can be restored to any moment", keepPostgres},
	{"Spanner scales by itself, is backed up, and can't be dropped", keepSpanner},
	{"Redis has a standby, AUTH and TLS", keepRedis},
	{"every subscription retries, puts aside after 100 attempts, and never expires", keepSubscriptions},
	{"no bucket is public, and nobody is let in without a name", keepBuckets},
	{"nobody has a wide role", keepRoles},
	{"each secret is read by whom it is for", keepSecrets},
	{"what runs is named by digest, runs as itself, is probed, and is reached as it should be", keepPrograms},
	{"no machine has a public address", keepMachines},
	{"programs get the variables that they read", keepVariables},
	{"callers reach what the access rules let them call", keepCallers},
	{"topics, schedules and routes are those of local runs", keepShared},
	{"a stranger's code is built without rights, a release once it is approved, in images by digest", keepTriggers},
	{"the GKE profile has what Cloud Run has", keepGKE},
	{"mails lead to the shop's own pages", keepMails},
	{"every alert has a playbook, and every playbook an alert", keepPlaybooks},
}

// broken is what a plan breaks, one line each.
func broken(environment string, resources []resource, root string) []string {
	p := planned{environment: environment, resources: resources, root: root}
	var found []string
	for _, rule := range rules {
		rule.keep(p, func(format string, arguments ...any) {
			found = append(found, fmt.Sprintf("%s: %s: %s", environment, rule.name, fmt.Sprintf(format, arguments...)))
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func keepPostgres(p planned, report func(string, ...any)) {
	for _, r := range p.of("google_sql_database_instance", report) {
		if p.prod() && r.text("settings.0.availability_type") != "REGIONAL" {
			report("%s has no standby in another zone", r.Address)
		}
		if p.prod() && (r.at("deletion_protection") != true || r.at("settings.0.deletion_protection_enabled") != true) {
			report("%s can be deleted", r.Address)
		}
		if r.at("settings.0.ip_configuration.0.ipv4_enabled") != false {
			report("%s has a public address", r.Address)
		}
		if r.text("settings.0.ip_configuration.0.ssl_mode") != "ENCRYPTED_ONLY" {
			report("%s takes connections without TLS", r.Address)
		}
		if r.at("settings.0.backup_configuration.0.enabled") != true || r.at("settings.0.backup_configuration.0.point_in_time_recovery_enabled") != true {
			report("%s has no backups, or no point-in-time recovery", r.Address)
		}
		flags := map[string]string{}
		for i := range r.list("settings.0.database_flags") {
			flags[r.text(fmt.Sprintf("settings.0.database_flags.%d.name", i))] = r.text(fmt.Sprintf("settings.0.database_flags.%d.value", i))
		}
		for _, flag := range []struct{ name, is string }{
			{"cloudsql.logical_decoding", "on"}, {"cloudsql.iam_authentication", "on"}, {"log_error_verbosity", "terse"},
		} {
			if flags[flag.name] != flag.is {
				report("%s: %s isn't %s", r.Address, flag.name, flag.is)
			}
		}
	}
}

func keepSpanner(p planned, report func(string, ...any)) {
	for _, r := range p.of("google_spanner_instance", report) {
		if len(r.list("autoscaling_config")) == 0 {
			report("%s has no autoscaler", r.Address)
		}
	}
	for _, r := range p.of("google_spanner_database", report) {
		if p.prod() && (r.at("deletion_protection") != true || r.at("enable_drop_protection") != true) {
			report("%s can be dropped", r.Address)
		}
		schema, err := os.ReadFile(filepath.Join(p.root, "internal", "spannerdb", "schema.sql"))
		if err != nil {
			report("%v", err)
		}
		if made, want := len(r.list("ddl")), strings.Count(string(schema), "\nCREATE "); made != want {
			report("%s has %d statements, the schema %d", r.Address, made, want)
		}
	}
	p.of("google_spanner_backup_schedule", report)
}

func keepRedis(p planned, report func(string, ...any)) {
	policies := map[string]string{}
	for _, r := range p.of("google_redis_instance", report) {
		if p.prod() && r.text("tier") != "STANDARD_HA" {
			report("%s has no standby", r.Address)
		}
		if r.at("auth_enabled") != true || r.text("transit_encryption_mode") != "SERVER_AUTHENTICATION" {
			report("%s has no AUTH, or no TLS", r.Address)
		}
		if r.text("connect_mode") != "PRIVATE_SERVICE_ACCESS" {
			report("%s isn't reached by Private Service Access", r.Address)
		}
		policies[r.text("name")], _ = r.Values["redis_configs"].(map[string]any)["maxmemory-policy"].(string)
	}
	if policies["stock"] != "noeviction" {
		report("the stock's Redis may forget stock: its policy is %q", policies["stock"])
	}
}

func keepSubscriptions(p planned, report func(string, ...any)) {
	forwarded := map[string]bool{}
	for _, r := range p.of("google_pubsub_subscription_iam_member", report) {
		if r.text("role") == "roles/pubsub.subscriber" && strings.Contains(r.text("member"), "@gcp-sa-pubsub.") {
			forwarded[r.text("subscription")] = true
		}
	}
	for _, r := range p.of("google_pubsub_subscription", report) {
		name := r.text("name")
		if len(r.list("expiration_policy")) == 0 || r.text("expiration_policy.0.ttl") != "" {
			report("%s expires", name)
		}
		if days := r.text("message_retention_duration"); days != "604800s" && days != "2678400s" {
			report("%s keeps messages for %q, not for 7 or 31 days", name, days)
		}
		if strings.HasSuffix(name, "-dead-letters") {
			continue
		}
		if r.at("dead_letter_policy.0.max_delivery_attempts") != 100.0 {
			report("%s puts nothing aside after 100 attempts", name)
		}
		if !forwarded[name] {
			report("Pub/Sub may not put aside what %s fails to deliver", name)
		}
		if r.text("retry_policy.0.maximum_backoff") == "" {
			report("%s retries at once", name)
		}
		if len(r.list("push_config")) > 0 && r.text("push_config.0.oidc_token.0.audience") == "" {
			report("%s pushes without a token", name)
		}
	}
}

func keepBuckets(p planned, report func(string, ...any)) {
	for _, r := range p.of("google_storage_bucket", report) {
		if r.text("public_access_prevention") != "enforced" || r.at("uniform_bucket_level_access") != true {
			report("%s can be made public", r.Address)
		}
	}
	for _, r := range p.resources {
		for _, anybody := range []string{"allUsers", "allAuthenticatedUsers"} {
			text, err := json.Marshal(r.Values)
			if err != nil || strings.Contains(string(text), `"`+anybody+`"`) {
				report("%s lets in %s", r.Address, anybody)
			}
		}
	}
}

// allowed are the roles that there are, by the kind of what they are for.
var allowed = map[string][]string{
	"google_project_iam_member": {
		"roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/dataflow.worker", "roles/logging.logWriter", "roles/monitoring.metricWriter",
		"roles/telemetry.tracesWriter", "roles/telemetry.metricsWriter",
		"projects/larder-check/roles/larderReindex",
	},
	"google_artifact_registry_repository_iam_member": {"roles/artifactregistry.reader"},
	"google_iap_web_backend_service_iam_member":      {"roles/iap.httpsResourceAccessor"},
	"google_pubsub_subscription_iam_member":          {"roles/pubsub.subscriber", "roles/pubsub.viewer"},
	"google_pubsub_topic_iam_member":                 {"roles/pubsub.publisher"},
	"google_secret_manager_secret_iam_member":        {"roles/secretmanager.secretAccessor"},
	"google_service_account_iam_member":              {"roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"},
	"google_spanner_database_iam_member":             {"roles/spanner.databaseUser", "roles/spanner.databaseAdmin"},
	"google_storage_bucket_iam_member":               {"roles/storage.objectViewer", "roles/storage.objectUser"},
}

func keepRoles(p planned, report func(string, ...any)) {
	for _, r := range p.resources {
		if !strings.Contains(r.Type, "_iam_") || r.Type == "google_project_iam_custom_role" {
			continue
		}
		if role := r.text("role"); !slices.Contains(allowed[r.Type], role) {
			report("%s gives %s, which isn't among those allowed", r.Address, role)
		}
		if r.text("role") == "roles/spanner.databaseAdmin" && account(r.text("member")) != "migrate" {
			report("%s may change the schema", r.Address)
		}
	}
}

// readers are who reads which secret.
var readers = map[string][]string{
	"stripe-api-key":                      {"payment"},
	"stripe-webhook-secrets":              {"paymentwebhook"},
	"elasticsearch-writer-url":            {"productindex", "productreindex"},
	"elasticsearch-reader-key":            {"search"},
	"elasticsearch-password":              {"elasticsearch"},
	"elasticsearch-transport-certificate": {"elasticsearch"},
	"search-token-key":                    {"search"},
	"smtp-username":                       {"notifyshopper"},
	"smtp-password":                       {"notifyshopper"},
	"debezium-password":                   {"debezium"},
	"session-keys":                        {"storefront"},
	"console-session-keys":                {"console"},
	"redis-cart-url":                      {"cart", "user"},
	"redis-stock-url":                     {"checkout", "relay"},
}

func keepSecrets(p planned, report func(string, ...any)) {
	reads := map[string][]string{}
	for _, r := range p.of("google_secret_manager_secret", report) {
		reads[r.text("secret_id")] = nil
		if annotations, _ := r.Values["annotations"].(map[string]any); annotations["rotation"] == nil {
			report("%s doesn't say how it is changed", r.text("secret_id"))
		}
	}
	for _, r := range p.of("google_secret_manager_secret_iam_member", report) {
		reads[r.text("secret_id")] = append(reads[r.text("secret_id")], account(r.text("member")))
	}
	for name, who := range reads {
		slices.Sort(who)
		if !slices.Equal(who, readers[name]) {
			report("%s is read by %v, want %v", name, who, readers[name])
		}
	}
	if len(reads) != len(readers) {
		report("there are %d secrets, want %d", len(reads), len(readers))
	}
}

// programs are all that runs one of our images.
func (p planned) programs(report func(string, ...any)) []resource {
	return slices.Concat(p.of("google_cloud_run_v2_service", report), p.of("google_cloud_run_v2_worker_pool", report), p.of("google_cloud_run_v2_job", report))
}

func keepPrograms(p planned, report func(string, ...any)) {
	routed := p.routed(report)
	for _, r := range p.programs(report) {
		text, err := json.Marshal(r.Values["template"])
		if err != nil || !strings.Contains(string(text), "@sha256:") {
			report("%s runs an image without digest", r.text("name"))
		}
		if p.prod() && r.at("deletion_protection") != true {
			report("%s can be deleted", r.text("name"))
		}
		if r.Type == "google_cloud_run_v2_worker_pool" && r.text("name") == "debezium" && r.at("scaling.0.manual_instance_count") != 1.0 {
			report("there isn't one debezium")
		}
		if r.Type != "google_cloud_run_v2_service" {
			continue
		}
		want := "INGRESS_TRAFFIC_INTERNAL_ONLY"
		if routed[r.text("name")] {
			want = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
		}
		if got := r.text("ingress"); got != want {
			report("%s has the ingress %s, want %s", r.text("name"), got, want)
		}
		if len(r.list("template.0.containers.0.startup_probe")) == 0 || len(r.list("template.0.containers.0.liveness_probe")) == 0 {
			report("%s isn't probed", r.text("name"))
		}
		if r.at("template.0.containers.0.resources.0.startup_cpu_boost") != true {
			report("%s starts without CPU boost", r.text("name"))
		}
		if r.at("template.0.scaling.0.max_instance_count") == nil || r.at("template.0.max_instance_request_concurrency") == nil {
			report("%s has no bound of instances or of requests", r.text("name"))
		}
		if p.prod() && routed[r.text("name")] && r.at("template.0.scaling.0.min_instance_count") == 0.0 {
			report("%s makes a shopper wait for its start", r.text("name"))
		}
	}
	accounts := map[string]int{}
	for _, r := range p.of("google_service_account", report) {
		id := r.text("account_id")
		accounts[id]++
		if len(id) < 6 || len(id) > 30 || accounts[id] > 1 {
			report("the account %s has no id of 6 to 30 characters of its own", id)
		}
	}
	for _, r := range p.programs(report) {
		if accounts["larder-"+r.text("name")] == 0 {
			report("%s has no account of its own", r.text("name"))
		}
	}
}

func keepMachines(p planned, report func(string, ...any)) {
	for _, r := range p.of("google_compute_instance_template", report) {
		if len(r.list("network_interface.0.access_config")) > 0 {
			report("%s has a public address", r.Address)
		}
	}
	for _, r := range p.of("google_dataflow_flex_template_job", report) {
		if r.text("ip_configuration") != "WORKER_IP_PRIVATE" || r.text("on_delete") != "drain" {
			report("%s has public workers, or is cancelled rather than drained", r.Address)
		}
	}
	for _, r := range p.of("google_compute_firewall", report) {
		open := slices.Contains(r.list("source_ranges"), any("0.0.0.0/0"))
		if open && len(r.list("allow")) > 0 {
			report("%s lets everybody in", r.Address)
		}
	}
}

// routed are the services that routes.json leads to.
func (p planned) routed(report func(string, ...any)) map[string]bool {
	var routes []struct{ Path, Service string }
	p.read("terraform/routes.json", &routes, report)
	found := map[string]bool{}
	for _, route := range routes {
		found[route.Service] = true
	}
	return found
}

func (p planned) read(name string, into any, report func(string, ...any)) {
	text, err := os.ReadFile(filepath.Join(p.root, name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		report("%s: %v", name, err)
	}
}

func keepShared(p planned, report func(string, ...any)) {
	var shared local.PubSub
	p.read("local/pubsub.json", &shared, report)
	topics, subscriptions, filters := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, topic := range shared.Topics {
		topics[topic], topics[topic+"-dead-letters"], subscriptions[topic+"-dead-letters"] = true, true, true
	}
	for function, pushed := range shared.Push {
		for topic, types := range pushed {
			subscriptions[function+"-"+topic] = true
			filters[function+"-"+topic] = local.Filter(types)
		}
	}
	for _, pull := range shared.Pull {
		subscriptions[pull.Name+"-1"] = true
	}
	p.same("google_pubsub_topic", topics, report)
	p.same("google_pubsub_subscription", subscriptions, report)
	for _, r := range p.of("google_pubsub_subscription", report) {
		if name := r.text("name"); r.text("filter") != filters[name] {
			report("%s lets %q pass, not %q", name, r.text("filter"), filters[name])
		}
	}

	var schedule []struct{ Function string }
	p.read("local/schedule.json", &schedule, report)
	jobs := map[string]bool{}
	for _, entry := range schedule {
		jobs[strings.ToLower(entry.Function)] = true
	}
	p.same("google_cloud_scheduler_job", jobs, report)

	// Each route has a rule, in an order in which none hides another.
	var routes []struct{ Path, Service string }
	p.read("terraform/routes.json", &routes, report)
	for _, r := range p.of("google_compute_url_map", report) {
		if r.text("name") != "edge" {
			continue
		}
		// The route to the shop is the default, and has none.
		if ruled := len(r.list("path_matcher.0.route_rules")); ruled != len(routes)-1+3 {
			report("the load balancer has %d rules, want one for each of %d routes, one for images and two for what the API doesn't know", ruled, len(routes)-1)
		}
	}
}

// same: the resources of a kind have these names.
func (p planned) same(kind string, want map[string]bool, report func(string, ...any)) {
	got := map[string]bool{}
	for _, r := range p.of(kind, report) {
		got[r.text("name")] = true
	}
	for name := range got {
		if !want[name] {
			report("%s %s isn't in local runs", kind, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !got[name] {
			report("%s %s is missing", kind, name)
		}
	}
}

func keepPlaybooks(p planned, report func(string, ...any)) {
	alerts := map[string]bool{}
	for _, r := range p.of("google_monitoring_alert_policy", report) {
		name := r.text("display_name")
		alerts[name] = true
		if !strings.Contains(r.text("documentation.0.content"), "docs/playbooks/"+name+".md") {
			report("%s doesn't name its playbook", name)
		}
		if _, err := os.Stat(filepath.Join(p.root, "docs", "playbooks", name+".md")); err != nil {
			report("%s has no playbook", name)
		}
	}
	files, err := filepath.Glob(filepath.Join(p.root, "docs", "playbooks", "*.md"))
	if err != nil {
		report("%v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".md")
		if !alerts[name] && name != "rotate-secrets" {
			report("docs/playbooks/%s.md belongs to no alert", name)
		}
	}
}

func keepTriggers(p planned, report func(string, ...any)) {
	for _, r := range p.of("google_cloudbuild_trigger", report) {
		name := r.text("name")
		as := account("serviceAccount:" + filepath.Base(r.text("service_account")))
		if strange := len(r.list("repository_event_config.0.pull_request")) > 0; strange != (as == "checks") {
			report("%s builds as %s", name, as)
		}
		if r.text("repository_event_config.0.push.0.tag") != "" && r.at("approval_config.0.approval_required") != true {
			report("%s delivers without approval", name)
		}
		given, _ := r.Values["substitutions"].(map[string]any)
		if image, _ := given["_BUILDER"].(string); !strings.Contains(image, "@sha256:") {
			report("%s builds in %q, an image without digest", name, image)
		}
		if _, err := os.Stat(filepath.Join(p.root, r.text("filename"))); err != nil {
			report("%s builds by %s, which isn't there", name, r.text("filename"))
		}
	}
}
