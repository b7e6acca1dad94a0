"""Fuzzes the REST API by its own description: make fuzz-api.

First a world is made: people of each role, a catalogue, carts, orders in each state. Making it calls every operation once, as it is
meant, and holds each answer against the description. Then cases are generated for each operation from its schema, right ones and wrong
ones, and sent with the token of each role and without one; ids are now made up, now those of the world. Every answer is held against the
description: no 5xx, no status, reason, header or body that isn't described.

EDGE_ADDR is where the API is, MAILSINK_ADDR where mails are read, SEED makes the cases, DURATION bounds the fuzzing (seconds). Exit 0: nothing found, and every operation
answered 2xx at least once.
"""

import base64
import collections
import os
import random
import re
import sys
import time
import uuid

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PASSWORD = "correct-horse-battery"
ADDRESS = {"recipient": "Ada Lovelace", "line1": "12 Lexington Street", "city": "London", "postcode": "W1F 0LE", "country": "GB"}
PATIENCE = 30  # seconds, for what comes by events

# What would end the tokens that the cases are sent with, or the people whose they are. They are called while the world is made, and fuzzed
# without a token.
ENDS_SESSIONS = {"UserService_DeleteSession", "UserService_DeleteSessions", "UserService_DeleteUser"}


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_is(_context, value):
    """The body of an import is a file."""
    return value if isinstance(value, bytes) else str(value).encode()


class Fuzz:
    def __init__(self, edge: str, description: str, seed: int):
        self.base, self.seed = f"http://{edge}", seed
        schema = schemathesis.openapi.from_path(description)
        self.operations = {}
        for result in schema.get_all_operations():
            operation = result.ok()
            self.operations[operation.definition.raw["operationId"]] = operation
        raw = schema.raw_schema
        self.responses = raw["components"]["responses"]
        self.http = requests.Session()
        self.tokens = {"nobody": None}
        self.pool = collections.defaultdict(list)  # names of ids, and ids of this world
        self.cases = collections.Counter()
        self.good = collections.Counter()
        self.statuses = collections.Counter()
        self.findings = {}

    # --- one case

    def send(self, name: str, case, role: str):
        headers = {"X-Request-Id": f"fuzz-{uuid.uuid4()}"}
        if self.tokens[role]:
            headers["Authorization"] = f"Bearer {self.tokens[role]}"
        response = case.call(base_url=self.base, session=self.http, headers=headers, timeout=60)
        self.cases[name] += 1
        self.statuses[response.status_code] += 1
        if 200 <= response.status_code < 300:
            self.good[name] += 1
        try:
            case.validate_response(response, checks=CHECKS, headers=headers)
            self.reason(name, response)
        except (schemathesis.errors.SchemathesisError, AssertionError, BaseExceptionGroup) as failure:
            if isinstance(failure, BaseExceptionGroup):
                text = "; ".join(str(f).splitlines()[0] for f in failure.exceptions)
            else:
                text = str(failure).splitlines()[0]
            key = (name, response.status_code, text)
            if key not in self.findings:
                self.findings[key] = f"{case.as_curl_command(headers=headers)}\n      answered {response.text[:600]}"
        return response

    def reason(self, name: str, response):
        """Each refusal has a reason, and one that the description lists for this operation and status."""
        if response.status_code < 400:
            return
        described = self.operations[name].definition.raw["responses"].get(str(response.status_code), {})
        described = self.responses[described["$ref"].rsplit("/", 1)[1]] if "$ref" in described else described
        told = [d.get("reason") for d in response.json()["error"]["details"] if d["@type"].endswith("google.rpc.ErrorInfo")]
        if len(told) != 1 or told[0] not in described.get("x-reasons", []):
            raise AssertionError(f"the reason {told} is not described")

    # --- the world

    def ask(self, name: str, role: str, path=None, query=None, body=None, key=False, headers=None, media_type="application/json", want=(200,)):
        """Calls an operation as it is meant. Any other answer than the one that is wanted ends the run: the world can't be made."""
        headers = dict(headers or {})
        if key:
            headers["Idempotency-Key"] = str(uuid.UUID(int=self.random.getrandbits(128)))
        options = {"path_parameters": path or {}, "query": query or {}, "headers": headers}
        if body is not None:
            options |= {"body": body, "media_type": media_type}
        response = self.send(name, self.operations[name].Case(**options), role)
        if response.status_code not in want:
            sys.exit(f"fuzz: {name} as {role} answered {response.status_code}: {response.text}")
        return response.json() if response.headers.get("content-type", [""])[0].startswith("application/json") else {}

    def until(self, what: str, condition):
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > end:
                sys.exit(f"fuzz: not after {PATIENCE} s: {what}")
            time.sleep(0.2)
        return found

    def person(self, role: str):
        email = f"{role}-{self.word}@shopper.example"
        user = self.ask("UserService_CreateUser", "nobody", body={"email": email, "password": PASSWORD, "display_name": role})
        self.pool["user_id"].append(user["user_id"])
        return self.sign_in(role, email, PASSWORD)

    def sign_in(self, role: str, email: str, password: str):
        session = self.ask("UserService_CreateSession", "nobody", body={"email": email, "password": password})
        self.tokens[role] = session["access_token"]
        return session

    def make_world(self):
        self.random = random.Random(f"{self.seed} {time.time_ns()}")  # ids may not be those of an earlier run
        self.word = f"{self.random.getrandbits(40):010x}"
        for role in ("merchandiser", "operator"):
            self.sign_in(role, f"{role}@larder.example", "larder-demo-1")
        self.person("shopper")
        self.ask("UserService_GetJwks", "nobody")
        self.ask("UserService_GetUser", "shopper")
        self.ask("UserService_UpdateUser", "shopper", body={"display_name": "Ada"})
        self.ask("UserService_RequestEmailVerification", "shopper", body={})
        self.ask("UserService_ExportUser", "shopper")
        self.make_somebody_who_leaves()
        self.make_addresses()
        self.make_catalogue()
        self.make_stock()
        self.make_carts()
        self.make_orders()

    def mailed_token(self, email: str, subject: str) -> str:
        """The token in the link of a mail. Mails come by events, so a moment later."""
        def found():
            mails = self.http.get(f"http://{os.environ['MAILSINK_ADDR']}/mails", params={"to": email}, timeout=10).json()["mails"]
            return next((mail["text"] for mail in mails if subject in mail["subject"]), None)
        return re.search(r"#token=([A-Za-z0-9_-]+)", self.until(f"a mail to {email}: {subject}", found)).group(1)

    def make_somebody_who_leaves(self):
        """Everything that ends a session or an account, by a person who isn't needed any more."""
        role, new = "leaving", PASSWORD + "-2"
        session = self.person(role)
        email = session["user"]["email"]
        self.ask("UserService_RefreshSession", "nobody", body={"refresh_token": session["refresh_token"]})
        self.ask("UserService_DeleteSession", role)
        self.ask("UserService_VerifyEmail", "nobody", body={"token": self.mailed_token(email, "verify"), "password": PASSWORD})
        self.ask("UserService_RequestPasswordReset", "nobody", body={"email": email})
        self.ask("UserService_ResetPassword", "nobody", body={"token": self.mailed_token(email, "new password"), "password": new})
        self.sign_in(role, email, new)
        self.ask("UserService_DeleteSessions", role)
        self.sign_in(role, email, new)
        self.ask("UserService_DeleteUser", role)

    def make_addresses(self):
        ids = [self.ask("UserService_CreateAddress", "shopper", body=ADDRESS)["address_id"] for _ in range(3)]
        self.ask("UserService_ListAddresses", "shopper")
        self.ask("UserService_GetAddress", "shopper", {"address_id": ids[0]})
        self.ask("UserService_UpdateAddress", "shopper", {"address_id": ids[0]}, body=ADDRESS | {"line2": "2nd floor"})
        self.ask("UserService_DeleteAddress", "shopper", {"address_id": ids[2]})
        self.pool["address_id"] += ids

    def make_catalogue(self):
        w, staff = self.word, "merchandiser"
        brand, category, store, product = f"brand-{w}", f"category-{w}", f"store-{w}", f"product-{w}"
        self.ask("ProductService_CreateBrand", staff, body={"brand_id": brand, "name": f"Brand {w}"})
        self.ask("ProductService_GetBrand", "nobody", {"brand_id": brand})
        self.ask("ProductService_ListBrands", "nobody", query={"page_size": 2})
        self.ask("ProductService_UpdateBrand", staff, {"brand_id": brand}, body={"name": f"Brand {w} renamed"})
        self.ask("ProductService_CreateCategory", staff, body={"category_id": category, "name": f"Category {w}", "parent_id": "fruit"})
        self.ask("ProductService_GetCategory", "nobody", {"category_id": category})
        self.ask("ProductService_ListCategories", "nobody")
        self.ask("ProductService_UpdateCategory", staff, {"category_id": category}, body={"name": f"Category {w} renamed"})
        fee = {"currency": "GBP", "minor_units": "299"}
        self.ask("ProductService_CreateStore", staff, body={"store_id": store, "name": f"Store {w}", "delivery_fee": fee, "postcodes": ["NW5"]})
        self.ask("ProductService_GetStore", "nobody", {"store_id": store})
        self.ask("ProductService_ListStores", "nobody")
        self.ask("ProductService_UpdateStore", staff, {"store_id": store}, body={"name": f"Store {w} renamed"})
        price = {"currency": "GBP", "minor_units": "125"}
        self.product = product
        self.ask("ProductService_CreateProduct", staff, body={
            "product_id": product, "name": f"Product {w}", "category_id": category, "brand_id": brand, "status": "ACTIVE", "price": price, "store_ids": ["soho"]})
        self.ask("ProductService_GetProduct", "nobody", {"product_id": product})
        self.ask("ProductService_ListProducts", "nobody", query={"page_size": 2})
        self.ask("ProductService_UpdateProduct", staff, {"product_id": product}, body={"name": f"Product {w} renamed"})
        starts = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() + 172800))
        self.ask("ProductService_PlanPrice", staff, {"product_id": product}, body={"price": {"currency": "GBP", "minor_units": "99"}, "start_time": starts})
        self.ask("ProductService_ListPrices", staff, {"product_id": product})
        self.ask("ProductService_DeletePrice", staff, {"product_id": product}, query={"start_time": starts})
        gone = f"gone-{w}"
        line = '{"product_id":"%s","name":"Gone %s","category_id":"fruit","price":{"currency":"GBP","minor_units":100}}\n' % (gone, w)
        key = {"Idempotency-Key": f"import-{w}"}
        self.ask("ProductService_ImportProducts", staff, body=line, headers=key, media_type="application/x-ndjson")
        self.ask("ProductService_GetImport", staff, {"import_id": f"import-{w}"})
        self.ask("ProductService_DeleteProduct", staff, {"product_id": gone})
        for name, field in (("Brand", "brand_id"), ("Category", "category_id"), ("Store", "store_id")):
            body = {field: f"spare-{w}", "name": f"Spare {w}"} | ({"delivery_fee": fee, "postcodes": ["NW6"]} if name == "Store" else {})
            self.ask(f"ProductService_Create{name}", staff, body=body)
            self.ask(f"ProductService_Delete{name}", staff, {field: f"spare-{w}"})
        self.ask("ProductService_ListChanges", "operator", query={"page_size": 5})
        self.ask("ProductService_AuditIndex", "operator", body={"page_size": 10})
        self.ask("ProductService_ListImports", "operator", query={"page_size": 5})
        self.ask("ProductService_ListIndexAudits", "operator", query={"page_size": 5})
        self.ask("SearchService_ListGenerations", "operator")
        self.ask("SearchService_Search", "nobody", query={"store": "soho", "q": "banannas"})
        self.ask("SearchService_Suggest", "nobody", query={"store": "soho", "q": "ban"})
        for field, values in {
            "product_id": [product, "bananas", gone], "brand_id": [brand], "category_id": [category, "fruit"],
            "store_id": ["soho", store], "store": ["soho"], "import_id": [f"import-{w}"]}.items():
            self.pool[field] += values

    def make_stock(self):
        soho = {"store_id": "soho"}
        mine = soho | {"product_id": self.product}
        self.ask("StockService_AdjustStock", "operator", soho, key=True, body={"reason": "fuzz", "adjustments": [{"product_id": self.product, "quantity": "5000"}]})
        self.ask("StockService_GetStock", "operator", mine)
        self.ask("StockService_ListStock", "operator", soho, query={"page_size": 2})
        self.ask("StockService_ListStockEntries", "operator", mine)
        self.ask("StockService_ReconcileStock", "operator", soho, body={})
        self.ask("StockService_RebuildStock", "operator", soho, body={})
        self.ask("StockService_GetStockStatus", "operator", soho)
        self.ask("CheckoutService_ListCheckouts", "operator", soho)
        self.ask("OrderService_ListStoreOrders", "operator", soho, query={"state": "CONFIRMED"})
        self.ask("OrderService_CountOrders", "operator", soho, query={"minutes": 5})
        self.ask("PaymentService_GetProvider", "operator")
        self.make_dead_letter()
        slot = f"slot-{self.word}"
        at = [time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() + 3600 * hours)) for hours in (30, 32)]
        self.ask("StockService_PutSlot", "operator", soho | {"slot_id": slot}, body={"start_time": at[0], "end_time": at[1], "capacity": 50})
        self.ask("StockService_ListSlots", "nobody", soho)
        self.pool["slot_id"].append(slot)
        self.pool["delivery_slot_id"].append(slot)

    def make_dead_letter(self):
        """A letter that is looked at and replayed: one that AdjustStock puts aside again."""
        topic = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/topics/stock-adjustments-dead-letters"
        answer = self.http.post(
            f"http://{os.environ['PUBSUB_EMULATOR_HOST']}/v1/{topic}:publish", timeout=10,
            json={"messages": [{"data": base64.b64encode(b"{}").decode(), "attributes": {"dead_letter_reason": "FUZZ"}}]})
        letter = {"topic": "stock-adjustments", "letter_id": answer.json()["messageIds"][0]}
        self.ask("OutboxService_GetOutbox", "operator")
        self.ask("OutboxService_ListDeadLetters", "operator", {"topic": "stock-adjustments"})
        self.ask("OutboxService_GetDeadLetter", "operator", letter)
        self.ask("OutboxService_ReplayDeadLetter", "operator", letter, body={"reason": "fuzz"})
        self.ask("OutboxService_ListReplays", "operator")
        self.pool["topic"].append("stock-adjustments")
        self.pool["letter_id"].append(letter["letter_id"])

    def make_carts(self):
        guests = [self.ask("CartService_CreateCart", "nobody", body={"store_id": "soho"})["cart_id"] for _ in range(4)]
        put = {"product_id": self.product}
        self.ask("CartService_PutItem", "nobody", put | {"cart_id": guests[0]}, body={"quantity": 2})
        self.ask("CartService_GetCart", "nobody", {"cart_id": guests[0]})
        self.ask("CartService_MergeCart", "shopper", {"cart_id": guests[0]}, body={})
        self.ask("CartService_PutItem", "shopper", put | {"cart_id": "me"}, body={"quantity": 1})
        self.ask("CartService_DeleteItem", "shopper", put | {"cart_id": "me"})
        self.pool["cart_id"] += ["me"] + guests

    def buy(self):
        cart = self.until("a cart that can be bought", lambda: self.ask("CartService_CreateCart", "shopper", body={"store_id": "soho"}))
        cart = self.ask("CartService_PutItem", "shopper", {"cart_id": "me", "product_id": self.product}, body={"quantity": 2})
        checkout = self.ask("CheckoutService_CreateCheckout", "shopper", key=True, body={
            "cart_id": "me", "store_id": "soho", "payment_method": "pm_card_visa", "address": ADDRESS, "expected_total": cart["totals"]["total"]})
        if checkout["state"] != "CONFIRMED":
            sys.exit(f"fuzz: a checkout is {checkout}")
        return checkout["checkout_id"]

    def make_orders(self):
        orders = [self.buy() for _ in range(5)]
        of = [{"order_id": o} for o in orders]
        self.ask("CheckoutService_GetCheckout", "shopper", {"checkout_id": orders[0]})
        self.ask("OrderService_GetOrder", "shopper", of[0])
        self.ask("OrderService_GetOrderHistory", "operator", of[0])
        self.ask("OrderService_ListOrders", "shopper", query={"page_size": 2})
        self.ask("OrderService_CancelOrder", "shopper", of[0], body={"reason": "fuzz"})
        line = {"product_id": self.product, "quantity": 1}
        for order, picked in ((of[1], []), (of[2], [line])):  # in full, and one short of what was ordered
            self.ask("OrderService_PickOrder", "operator", order, body={})
            self.ask("OrderService_PackOrder", "operator", order, body={"lines": picked})
        for order in of[1:3]:
            self.until("a packed order is captured", lambda order=order: self.ask("PaymentService_GetPayment", "operator", order)["state"] == "CAPTURED")
        self.ask("OrderService_DispatchOrder", "operator", of[1], body={})
        self.ask("OrderService_DeliverOrder", "operator", of[1], body={})
        self.ask("OrderService_WatchOrder", "shopper", of[1], query={"after_version": "1"})
        self.ask("OrderService_WatchOrder", "shopper", of[1], headers={"Accept": "text/event-stream"})  # ends, for the order has
        self.ask("OrderService_RefundOrder", "operator", of[1], key=True, body={"lines": [line], "reason": "fuzz"})
        self.ask("PaymentService_ListPayments", "operator", query={"state": "AUTHORIZED", "page_size": 2})
        self.ask("PaymentService_AuditPayments", "operator", body={"page_size": 5})
        self.pool["order_id"] += orders
        self.pool["checkout_id"] += orders

    # --- the cases

    def fuzz(self, seconds: float):
        """Rounds over all operations until the time is over, at least one; later rounds have other cases."""
        end, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < end or rounds == 0:
            for number, name in enumerate(sorted(self.operations)):
                for role in ("nobody", "shopper", "merchandiser", "operator"):
                    if name in ENDS_SESSIONS and role != "nobody":
                        continue
                    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                        self.fuzz_operation(name, role, mode, self.seed * 1_000_003 + rounds * 1009 + number)
                if rounds > 0 and time.monotonic() > end:
                    return
            rounds += 1

    def fuzz_operation(self, name: str, role: str, mode: GenerationMode, seed: int, cases: int = 3):
        try:
            strategy = self.operations[name].as_strategy(generation_mode=mode)
        except hypothesis.errors.Unsatisfiable:  # nothing about it can be wrong: it takes nothing
            return
        pool = self.pool

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=cases, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @hypothesis.given(case=strategy, data=hypothesis.strategies.data())
        def run(case, data):
            choose = lambda values: data.draw(hypothesis.strategies.sampled_from(values))

            def real(container):
                """Puts ids of the world in the place of made-up ones, more often than not."""
                if isinstance(container, dict):
                    for field, value in container.items():
                        if field in pool and isinstance(value, str) and choose([True, True, False]):
                            container[field] = choose(pool[field])
                        else:
                            real(value)
                elif isinstance(container, list):
                    for value in container:
                        real(value)

            if mode is GenerationMode.POSITIVE:
                for container in (case.path_parameters, case.query, case.body):
                    real(container)
            self.send(name, case, role)

        try:
            run()
        except hypothesis.errors.Unsatisfiable:  # a GET without parameters can't be wrong
            pass

    def report(self) -> int:
        without = sorted(set(self.operations) - {name for name, count in self.good.items() if count})
        for (name, status, text), case in sorted(self.findings.items()):
            print(f"\n{name} {status}: {text}\n      {case}")
        for name in without:
            print(f"never answered 2xx: {name}")
        statuses = " ".join(f"{status}={count}" for status, count in sorted(self.statuses.items()))
        print(f"\nfuzz: seed {self.seed}; {len(self.operations)} operations, {sum(self.cases.values())} cases, fewest {min(self.cases[n] for n in self.operations)}; {statuses}")
        print(f"fuzz: findings={len(self.findings)} operations_without_2xx={len(without)}")
        return 1 if self.findings or without else 0


def main() -> int:
    fuzz = Fuzz(os.environ["EDGE_ADDR"], sys.argv[1], int(os.environ["SEED"]))
    fuzz.make_world()
    print(f"fuzz: the world is made, {sum(fuzz.cases.values())} calls; seed {fuzz.seed}", flush=True)
    fuzz.fuzz(float(os.environ["DURATION"]))
    return fuzz.report()


if __name__ == "__main__":
    sys.exit(main())
