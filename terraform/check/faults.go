package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// fault is a change of a file of the copy, and what the check must say of it.
type fault struct {
	file, old, new string
	says           string
}

// planFaults break a rule each. They don't get into each other's way, so one plan finds them all.
var planFaults = []fault{
	{"terraform/sql.tf", `var.high_availability ? "REGIONAL" : "ZONAL"`, `"ZONAL"`, "has no standby in another zone"},
	{"terraform/sql.tf", "ipv4_enabled    = false", "ipv4_enabled    = true", "has a public address"},
	{"terraform/sql.tf", "deletion_protection_enabled = var.deletion_protection", "deletion_protection_enabled = false", "google_sql_database_instance.larder can be deleted"},
	{"terraform/sql.tf", "point_in_time_recovery_enabled = true", "point_in_time_recovery_enabled = false", "no point-in-time recovery"},
	{"terraform/sql.tf", `value = "terse"`, `value = "default"`, "log_error_verbosity isn't terse"},
	{"terraform/sql.tf", `"cloudsql.logical_decoding"`, `"cloudsql.enable_pgaudit"`, "cloudsql.logical_decoding isn't on"},
	{"terraform/spanner.tf", "enable_drop_protection   = var.deletion_protection", "enable_drop_protection   = false", "can be dropped"},
	{"terraform/redis.tf", `var.high_availability ? "STANDARD_HA" : "BASIC"`, `"BASIC"`, "has no standby"},
	{"terraform/redis.tf", "auth_enabled            = true", "auth_enabled            = false", "has no AUTH"},
	{"terraform/redis.tf", `"noeviction" : "volatile-lru"`, `"allkeys-lru" : "volatile-lru"`, "may forget stock"},
	{"terraform/modules/function/main.tf", "max_delivery_attempts = 100", "max_delivery_attempts = 5", "puts nothing aside after 100 attempts"},
	{"terraform/modules/function/main.tf", `join(" OR "`, `join(" AND "`, `applystock-order-events lets`},
	{"terraform/pipeline_productindex.tf", "forwards = local.platform.pubsub_agent", "forwards = local.productindex", "may not put aside what productindex-1 fails"},
	{"terraform/pipeline_productindex.tf", `public_access_prevention    = "enforced"`, `public_access_prevention    = "inherited"`, "google_storage_bucket.dataflow can be made public"},
	{"terraform/edge.tf", `"serviceAccount:service-${data.google_project.this.number}@https-lb.iam.gserviceaccount.com"`, `"allUsers"`, "lets in allUsers"},
	{"terraform/pipeline_productindex.tf", `"roles/dataflow.worker"`, `"roles/editor"`, "gives roles/editor"},
	{"terraform/service_search.tf", "SEARCH_TOKEN_KEY      =", "WRITER = module.secret[\"elasticsearch-writer-url\"].id\n SEARCH_TOKEN_KEY =", "elasticsearch-writer-url is read by [productindex productreindex search]"},
	{"terraform/service_order.tf", `spanner  =`, "secrets = { STRIPE_API_KEY = module.secret[\"stripe-api-key\"].id }\n spanner =", "stripe-api-key is read by [order payment]"},
	{"terraform/service_debezium.tf", "workers   = 1", "workers   = 2", "there isn't one debezium"},
	{"terraform/modules/service/account.tf", "GOMAXPROCS = var.resources.cpu", "GOMAXPROCS = 4", "cart has 1 processors, and GOMAXPROCS=4"},
	{"terraform/modules/service/main.tf", "startup_cpu_boost = true", "startup_cpu_boost = false", "starts without CPU boost"},
	{"terraform/function_reapcheckouts.tf", "schedule =", "public = true\n schedule =", "reapcheckouts has the ingress INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"},
	{"terraform/service_cart.tf", `name     = "cart"`, "name     = \"cart\"\n  image = \"basket\"", "cart runs an image without digest"},
	{"terraform/registry.tf", `merge({ for`, `merge({ basket = "example/basket:latest" }, { for`, "cart runs an image without digest"},
	{"terraform/elasticsearch.tf", "    subnetwork = google_compute_subnetwork.machines.id\n  }\n\n  service_account", "    subnetwork = google_compute_subnetwork.machines.id\n    access_config {}\n  }\n\n  service_account", "google_compute_instance_template.elasticsearch[0] has a public address"},
	{"terraform/service_checkout.tf", `"product", "cart", "payment"`, `"product", "payment"`, "checkout doesn't get CART_ADDR"},
	{"terraform/function_voidpayment.tf", `calls    = ["payment"]`, `calls    = ["order"]`, "may be called by voidpayment, which doesn't get PAYMENT_ADDR"},
	{"terraform/service_user.tf", `database =`, "environment = { LOGLEVEL = \"DEBUG\" }\n database =", "user gets LOGLEVEL, which it doesn't read"},
	{"local/schedule.json", `"FoldLedger"`, `"FoldLedgers"`, "google_cloud_scheduler_job foldledgers is missing"},
	{"terraform/pubsub.tf", "name                       = each.key\n", "name                       = \"x-${each.key}\"\n", "google_pubsub_topic order-events is missing"},
	{"terraform/service_order.tf", "public ", "public = false\n people ", "order has the ingress INGRESS_TRAFFIC_INTERNAL_ONLY"},
	{"terraform/modules/secret/main.tf", "{ rotation = var.rotation }", "{ note = var.rotation }", "stripe-api-key doesn't say how it is changed"},
	{"terraform/network.tf", `"35.235.240.0/20"`, `"0.0.0.0/0"`, "google_compute_firewall.iap lets everybody in"},
	{"terraform/modules/service/main.tf", livenessProbe, "", "cart isn't probed"},
	{"terraform/pipeline_productindex.tf", `on_delete                    = "drain"`, `on_delete = "cancel"`, "is cancelled rather than drained"},
	{"terraform/delivery.tf", `"delivery/pull-request.yaml", account = "checks"`, `"delivery/pull-request.yaml", account = "delivery"`, "pull-request builds as delivery"},
	{"terraform/delivery.tf", `approval_required = each.key == "tag"`, "approval_required = false", "tag delivers without approval"},
	{"terraform/delivery.tf", `data.google_artifact_registry_docker_image.delivery["builder"].self_link`, `"example/builder:latest"`, "main builds in \"example/builder:latest\", an image without digest"},
	{"terraform/service_outbox.tf", "timeout   = 60", "timeout   = 61", "outbox: time of a request: 61s on Cloud Run, and 60s on GKE"},
	{"terraform/environments/prod.tfvars", "max = 24", "max = 25", "product: most instances: 25 on Cloud Run, and 24 on GKE"},
	{"terraform/service_storefront.tf", "TEST_CARDS = var.test_cards", "TEST_CARD = var.test_cards", "storefront gets TEST_CARD on Cloud Run, and not on GKE"},
	{"terraform/service_relay.tf", "STOCK_REDIS_ADDR", "STOCK_REDIS", "relay gets the secrets [STOCK_REDIS] on Cloud Run, and [STOCK_REDIS_ADDR] on GKE"},
	{"terraform/service_payment.tf", `name        = "payment"`, "name = \"payment\"\n  resources = { cpu = \"2\", memory = \"512Mi\" }", "payment: CPU: 2 on Cloud Run, and 1 on GKE"},
	{"terraform/function_notifyshopper.tf", "MAIL_RESET_URL ", "RESET_URL ", "notifyshopper doesn't get MAIL_RESET_URL"},
	{"terraform/alerts.tf", "    sql-disk = {", "    sql-disc = {", "sql-disc has no playbook"},
}

// livenessProbe is the block of modules/service.
const livenessProbe = `      liveness_probe {
        http_get {
          path = var.liveness
          port = 8080
        }
        period_seconds    = 10
        timeout_seconds   = 3
        failure_threshold = 3
      }
`

// validateFaults are what terraform itself refuses, with file and line.
var validateFaults = []fault{
	{"terraform/redis.tf", "memory_size_gb          = each.value", "memory_gb = each.value", `on redis.tf line`},
	{"terraform/pubsub.tf", "ack_deadline_seconds       = 60", `ack_deadline_seconds = "soon"`, `on pubsub.tf line`},
}

// checkFaults sees each of them found.
func checkFaults(ctx context.Context) error {
	w, err := newWorkspace(ctx)
	if err != nil {
		return err
	}
	defer w.remove()
	if err := w.terraform(ctx, "init", "-input=false"); err != nil {
		return err
	}
	caught, missed := 0, []error(nil)
	look := func(faults []fault, said string) {
		for _, f := range faults {
			if strings.Contains(said, f.says) {
				caught++
				continue
			}
			missed = append(missed, fmt.Errorf("%s with %q in place of %q: nothing says %q", f.file, f.new, f.old, f.says))
		}
	}

	plain, err := w.plant(validateFaults)
	if err != nil {
		return err
	}
	if err := w.terraform(ctx, "validate"); err != nil {
		look(validateFaults, err.Error())
	} else {
		missed = append(missed, errors.New("terraform validate found nothing"))
	}
	if err := w.restore(plain); err != nil {
		return err
	}

	plain, err = w.plant(planFaults)
	if err != nil {
		return err
	}
	planned, err := w.plan(ctx, "prod")
	if err != nil {
		return fmt.Errorf("the faults must not keep terraform from planning: %w", err)
	}
	// What isn't terraform's, the schema and the programs' code, is the repository's own, and so are the files that local runs read.
	found := strings.Join(broken("prod", planned, w.mixed()), "\n")
	look(planFaults, found)
	if err := w.restore(plain); err != nil {
		return err
	}

	fmt.Printf("terraform: %d of %d planted faults caught\n", caught, len(planFaults)+len(validateFaults))
	if len(missed) > 0 {
		return errors.Join(append(missed, errors.New("what was said:\n"+found))...)
	}
	return nil
}

// mixed is the root that rules read files of: the copy, with the code beside it.
func (w *workspace) mixed() string {
	here, err := os.Getwd()
	if err != nil {
		return "."
	}
	for _, folder := range []string{"run", "functions", "pipelines/productreindex", "docs", "internal/spannerdb", "gke-legacy"} {
		_ = os.MkdirAll(w.path("pipelines"), 0o755)
		_ = os.Symlink(here+"/"+folder, w.path(folder)) // what is there already stays; what then is missing, the rules tell
	}
	rooms, _ := filepath.Glob("internal/*")
	for _, folder := range rooms {
		_ = os.Symlink(here+"/"+folder, w.path(folder))
	}
	return w.path(".")
}

// plant puts faults into the copy, and gives the files back as they were.
func (w *workspace) plant(faults []fault) (map[string][]byte, error) {
	before := map[string][]byte{}
	for _, f := range faults {
		text, err := os.ReadFile(w.path(f.file))
		if err != nil {
			return nil, err
		}
		if _, ok := before[f.file]; !ok {
			before[f.file] = text
		}
		if strings.Count(string(text), f.old) != 1 {
			return nil, fmt.Errorf("%s has %q %d times, want once", f.file, f.old, strings.Count(string(text), f.old))
		}
		changed := strings.Replace(string(text), f.old, f.new, 1)
		if err := os.WriteFile(w.path(f.file), []byte(changed), 0o600); err != nil {
			return nil, err
		}
	}
	return before, nil
}

func (w *workspace) restore(before map[string][]byte) error {
	for file, text := range before {
		if err := os.WriteFile(w.path(file), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
