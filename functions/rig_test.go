package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	"larder.dev/functions/internal/function"
	"larder.dev/internal/event"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// domain of the service accounts that servetest's issuer signs for.
const domain = "larder-test.iam.gserviceaccount.com"

// rig is one function between the Pub/Sub emulator, which pushes to it, and our services: a real server with their interceptors and
// access rules, whose methods write down what they are asked and answer what the test says. The project is the rig's own, so its topics
// are nobody else's.
type rig struct {
	t        *testing.T
	issuer   *servetest.Issuer
	services *services
	project  string
	client   *pubsub.Client
	function *httptest.Server
	audience string

	mu         sync.Mutex
	deliveries []deliveredOnce
	letters    []letter
	logged     bytes.Buffer
}

// letter is a message of a topic that is collected.
type letter struct {
	topic string
	*pubsub.Message
}

// deliveredOnce is one push of Pub/Sub's, and how it was answered.
type deliveredOnce struct {
	message string
	status  int
}

// newRig sets the environment up that a function's process finds.
func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST is not set: run the tests by `make test`, which starts the Pub/Sub emulator")
	}
	r := &rig{t: t, issuer: servetest.NewIssuer(t), project: "larder-" + uuid.NewString()[:8]}
	client, err := pubsub.NewClient(t.Context(), r.project)
	if err != nil {
		t.Fatal(err)
	}
	r.client = client
	t.Cleanup(func() { _ = client.Close() })

	// The metadata server of a machine on Google Cloud: it gives a process tokens of its account.
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		account, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/computeMetadata/v1/instance/service-accounts/"), "@")
		_, _ = io.WriteString(w, r.issuer.IDToken(t, account, req.URL.Query().Get("audience"), time.Hour))
	}))
	t.Cleanup(tokens.Close)
	r.services = startServices(t, r.issuer)
	for name, value := range map[string]string{
		"GCE_METADATA_HOST": strings.TrimPrefix(tokens.URL, "http://"), "GOOGLE_CLOUD_PROJECT": r.project, "INSECURE_CALLS": "true",
		"SERVICE_ACCOUNT_DOMAIN": domain, "SERVICE_JWKS_URL": r.issuer.Config().Identity.ServiceJWKSURL, "LOG_LEVEL": "DEBUG",
		"USER_ADDR": r.services.address, "PRODUCT_ADDR": r.services.address, "CART_ADDR": r.services.address,
		"CHECKOUT_ADDR": r.services.address, "PAYMENT_ADDR": r.services.address,
		"ORDER_ADDR": r.services.address,
		"SMTP_ADDR":  "127.0.0.1:1", "MAIL_FROM": "Larder <orders@larder.example>", "WEBHOOK_SECRETS": "whsec_old,whsec_new",
	} {
		t.Setenv(name, value)
	}
	return r
}

// start starts a function as its process does.
func (r *rig) start(name string) {
	t := r.t
	t.Helper()
	t.Setenv("SERVICE_ACCOUNT", strings.ToLower(name)+"@"+domain)
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	app := function.New(name)
	handler, err := all[name](t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	slog.SetDefault(serve.NewLogger(lockedWriter{r}, slog.LevelDebug, r.project))
	r.function = httptest.NewServer(function.Handler(handler))
	t.Cleanup(r.function.Close)
	r.audience = "https://larder.dev/functions/" + strings.ToLower(name)
}

type lockedWriter struct{ *rig }

func (w lockedWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logged.Write(line)
}

func (r *rig) logs() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logged.String()
}

// topic makes a topic.
func (r *rig) topic(name string) {
	r.t.Helper()
	path := fmt.Sprintf("projects/%s/topics/%s", r.project, name)
	if _, err := r.client.TopicAdminClient.CreateTopic(r.t.Context(), &pubsubpb.Topic{Name: path}); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = r.client.TopicAdminClient.DeleteTopic(context.Background(), &pubsubpb.DeleteTopicRequest{Topic: path})
	})
}

func (r *rig) subscribe(s *pubsubpb.Subscription) {
	r.t.Helper()
	s.Name = fmt.Sprintf("projects/%s/subscriptions/%s", r.project, s.GetName())
	s.Topic = fmt.Sprintf("projects/%s/topics/%s", r.project, s.GetTopic())
	if _, err := r.client.SubscriptionAdminClient.CreateSubscription(r.t.Context(), s); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = r.client.SubscriptionAdminClient.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: s.GetName()})
	})
}

// push makes a topic whose messages are pushed to the function, and collects its dead letters.
func (r *rig) push(topic string) {
	r.t.Helper()
	r.topic(event.DeadLetters(topic))
	r.collect(event.DeadLetters(topic))
	r.deliver(topic)
}

// deliver makes a topic whose messages are pushed to the function, signed as Google signs.
func (r *rig) deliver(topic string) {
	t := r.t
	t.Helper()
	signer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var delivery struct {
			Message struct{ MessageID string }
		}
		if err := errors.Join(err, json.Unmarshal(body, &delivery)); err != nil {
			t.Error(err)
		}
		status, _ := r.post(req.Context(), r.issuer.IDToken(t, "pubsub-push", r.audience, time.Hour), body)
		r.mu.Lock()
		r.deliveries = append(r.deliveries, deliveredOnce{delivery.Message.MessageID, status})
		r.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(signer.Close)
	r.topic(topic)
	r.subscribe(&pubsubpb.Subscription{
		Name: "function-" + topic, Topic: topic, AckDeadlineSeconds: 10,
		PushConfig: &pubsubpb.PushConfig{PushEndpoint: signer.URL},
		RetryPolicy: &pubsubpb.RetryPolicy{
			MinimumBackoff: durationpb.New(100 * time.Millisecond), MaximumBackoff: durationpb.New(300 * time.Millisecond),
		},
	})
}

// keep makes a subscription of a topic that nobody reads, with the topic's name.
func (r *rig) keep(topic string) {
	r.t.Helper()
	r.subscribe(&pubsubpb.Subscription{Name: topic, Topic: topic, AckDeadlineSeconds: 60})
}

// collect receives what is published to a topic.
func (r *rig) collect(topic string) {
	r.t.Helper()
	r.keep(topic)
	ctx, stop := context.WithCancel(r.t.Context())
	var receiving sync.WaitGroup
	receiving.Go(func() {
		err := r.client.Subscriber(topic).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.letters = append(r.letters, letter{topic, m})
			m.Ack()
		})
		if err != nil && ctx.Err() == nil {
			r.t.Errorf("receive: %v", err)
		}
	})
	r.t.Cleanup(func() {
		stop()
		receiving.Wait()
	})
}

// collected are the messages of the topics that are collected, as they came.
func (r *rig) collected() []letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.letters)
}

// outcomes are how the deliveries of a message were answered, in their order.
func (r *rig) outcomes(message string) (statuses []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.deliveries {
		if d.message == message {
			statuses = append(statuses, d.status)
		}
	}
	return statuses
}

// post calls the function with a token; none if it is empty.
func (r *rig) post(ctx context.Context, token string, body []byte) (status int, answer string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.function.URL, bytes.NewReader(body))
	if err != nil {
		return http.StatusTeapot, err.Error()
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusBadGateway, err.Error()
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return http.StatusBadGateway, err.Error()
	}
	return got.StatusCode, string(text)
}

// send publishes a message and returns its id.
func (r *rig) send(topic string, attributes map[string]string, data []byte) string {
	r.t.Helper()
	answer, err := r.client.TopicAdminClient.Publish(r.t.Context(), &pubsubpb.PublishRequest{
		Topic:    fmt.Sprintf("projects/%s/topics/%s", r.project, topic),
		Messages: []*pubsubpb.PubsubMessage{{Data: data, Attributes: attributes}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.GetMessageIds()[0]
}

// sendEvent publishes an event as its producer does.
func (r *rig) sendEvent(topic string, e event.Event) string {
	r.t.Helper()
	return r.send(topic, e.Attributes(), e.Data)
}

// happened is an event of a message, from a producer of the platform.
func happened(t *testing.T, id string, message proto.Message) event.Event {
	t.Helper()
	e, err := event.New(id, "//larder.dev/outbox", "things/"+id, time.Now().Add(-time.Hour), message)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// await polls until the answer is yes, and fails the test if it takes too long.
func (r *rig) await(what string, yes func() bool) {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !yes(); <-tick.C {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s\n%s", what, r.logs())
		}
	}
}

// call is one that a service got.
type call struct {
	method, caller, key, trace string
	request                    proto.Message
}

// services is one server for all our services.
type services struct {
	address string

	mu     sync.Mutex
	calls  []call
	answer map[string]func(ctx context.Context, request proto.Message) (proto.Message, error)
}

// startServices serves every method of these services.
func startServices(t *testing.T, issuer *servetest.Issuer) *services {
	t.Helper()
	s := &services{answer: map[string]func(context.Context, proto.Message) (proto.Message, error){}}
	server := issuer.Start(t, "services", func(ctx context.Context, app *serve.App) error {
		for _, name := range []string{
			"larder.cart.v1.CartService", "larder.checkout.v1.CheckoutService", "larder.order.v1.OrderService", "larder.payment.v1.PaymentService",
			"larder.product.v1.ProductService", "larder.stock.v1.StockService", "larder.user.v1.UserService",
		} {
			found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
			if err != nil {
				return err
			}
			desc := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil)}
			methods := found.(protoreflect.ServiceDescriptor).Methods()
			for i := range methods.Len() {
				desc.Methods = append(desc.Methods, s.method(methods.Get(i)))
			}
			if err := app.Register(ctx, desc, s, nil); err != nil {
				return err
			}
		}
		return nil
	})
	s.address = strings.TrimPrefix(server.URL, "http://")
	return s
}

// method is one that writes its calls down and answers what the test says, else an empty message.
func (s *services) method(m protoreflect.MethodDescriptor) grpc.MethodDesc {
	name := string(m.Name())
	full := "/" + string(m.Parent().FullName()) + "/" + name
	message := func(d protoreflect.MessageDescriptor) proto.Message {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			panic(err)
		}
		return kind.New().Interface()
	}
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
		request := message(m.Input())
		if err := decode(request); err != nil {
			return nil, err
		}
		return chain(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: full}, func(ctx context.Context, _ any) (any, error) {
			s.mu.Lock()
			s.calls = append(s.calls, call{
				method: name, caller: identity.FromContext(ctx).Service, request: request,
				key:   strings.Join(metadata.ValueFromIncomingContext(ctx, "idempotency-key"), ","),
				trace: trace.SpanContextFromContext(ctx).TraceID().String(),
			})
			answer := s.answer[name]
			s.mu.Unlock()
			if answer != nil {
				if given, err := answer(ctx, request); given != nil || err != nil {
					return given, err
				}
			}
			return message(m.Output()), nil
		})
	}}
}

// answers says what a method answers from now on; nil is an empty message.
func (s *services) answers(method string, answer func(ctx context.Context, request proto.Message) (proto.Message, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[method] = answer
}

// got returns the calls of a method, of all if it is empty.
func (s *services) got(method string) (calls []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if method == "" || c.method == method {
			calls = append(calls, c)
		}
	}
	return calls
}
