package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"orderwalk/internal/access"
	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
)

// explainLimit bounds the check of rights.
const explainLimit = 15 * time.Second

// deniedError is an authorization failure with the missing rights.
type deniedError struct {
	err       error
	principal string
	missing   []access.Right
}

func (e *deniedError) Error() string { return e.err.Error() }
func (e *deniedError) Unwrap() error { return e.err }

// hint names the principal and the commands that grant the missing rights.
func (e *deniedError) hint() string {
	if len(e.missing) == 0 {
		return fmt.Sprintf("the client's principal is probably %s; docs/KAFKA.md lists the rights it needs", e.principal)
	}
	commands := make([]string, len(e.missing))
	for i, r := range e.missing {
		commands[i] = "\n  " + r.Command(e.principal)
	}
	return "an administrator can grant the missing rights with" + strings.Join(commands, "")
}

// requireRights returns an error that names all missing rights. Without it, some
// would be noticed only much later, such as Read on an offsets topic that is still
// empty. If the check fails, the walk goes on. If rights are missing on only some
// orders topics, it logs a warning: the shops of those topics fail later.
func requireRights(ctx context.Context, cfg *config.Config, k *kafkaconn.Kafka, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	n := needs(cfg)
	n.FirstLane = true // one lane keeps the check at each start short
	report, err := access.Look(ctx, k.Addr, k.Transport, n)
	if err != nil || len(report.Missing) == 0 {
		return nil
	}
	if full, err := access.Look(ctx, k.Addr, k.Transport, needs(cfg)); err == nil {
		report = full
	}
	denied := &deniedError{fmt.Errorf("%s lacks %s", k.Principal(), joinRights(report.Missing)), k.Principal(), report.Missing}
	if !stopsAll(report.Missing, cfg.OrdersTopics) {
		log.Warn("rights on some topics are missing; their shops will fail", "reason", denied)
		return nil
	}
	return denied
}

// stopsAll reports whether no shop can be walked without the rights: one of
// them is not on an orders topic, or every orders topic lacks one.
func stopsAll(missing []access.Right, orders []string) bool {
	lacking := make(map[string]bool)
	for _, r := range missing {
		if !r.OnTopic() || !slices.Contains(orders, r.Name) {
			return true
		}
		lacking[r.Name] = true
	}
	return len(lacking) == len(orders)
}

// explain asks Kafka for all missing rights after it has refused a request.
func explain(ctx context.Context, cfg *config.Config, k *kafkaconn.Kafka, err error) error {
	if !access.Refused(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainLimit)
	defer cancel()
	report, _ := access.Look(ctx, k.Addr, k.Transport, needs(cfg)) // a partial report is useful too
	if len(report.Missing) > 0 {
		err = fmt.Errorf("%w: %s lacks %s", err, k.Principal(), joinRights(report.Missing))
	}
	return &deniedError{err, k.Principal(), report.Missing}
}

func needs(cfg *config.Config) access.Needs {
	return access.Needs{Orders: cfg.OrdersTopics, Offsets: cfg.OffsetsTopic, Group: cfg.Group, Lanes: cfg.OffsetsPartitions}
}

func joinRights(rights []access.Right) string {
	texts := make([]string, len(rights))
	for i, r := range rights {
		texts[i] = r.String()
	}
	return strings.Join(texts, ", ")
}
