package task

import (
	"fmt"
	"strings"
)

// Order is the order of a list. The numbers are on the wire: they are never reused.
type Order uint8

// The orders. Only OrderByID and OrderByNewest have a place for every task; the others list what an index keeps in that order.
const (
	OrderByID        Order = 0 // every task, oldest first
	OrderByPriority  Order = 1 // ready tasks, as claims take them: higher priority first, then earlier scheduled, then submitted first
	OrderByScheduled Order = 2 // scheduled tasks and those that wait for a retry, earliest first
	OrderByNewest    Order = 3 // every task, newest first: OrderByID backwards
)

var orderNames = [...]string{OrderByID: "id", OrderByPriority: "priority", OrderByScheduled: "scheduled", OrderByNewest: "newest"}

// Valid reports whether o is one of the orders.
func (o Order) Valid() bool { return int(o) < len(orderNames) }

func (o Order) String() string {
	if o.Valid() {
		return orderNames[o]
	}
	return fmt.Sprintf("order(%d)", uint8(o))
}

// ParseOrder reads an order by its name. The error wraps ErrInvalid and lists the names.
func ParseOrder(name string) (Order, error) {
	for o, n := range orderNames {
		if n == name {
			return Order(o), nil
		}
	}
	return 0, fmt.Errorf("%w: unknown order %q; allowed are %s", ErrInvalid, clip(name), strings.Join(orderNames[:], ", "))
}

// covers checks that tasks of a status, 0 for any, can stand in a list of this order. The error wraps ErrInvalid.
func (o Order) covers(s Status) error {
	switch {
	case !o.Valid():
		return fmt.Errorf("%w: order %d is none of 0 to %d", ErrInvalid, uint8(o), len(orderNames)-1)
	case o == OrderByPriority && s != 0 && s != Pending:
		return fmt.Errorf("%w: order priority lists ready tasks, so status may be pending or left out, not %s; "+
			"orders id and newest take every status", ErrInvalid, s)
	case o == OrderByScheduled && s != 0 && s != Pending && s != Failed:
		return fmt.Errorf("%w: order scheduled lists scheduled tasks and retries, so status may be pending, failed or left out, "+
			"not %s; orders id and newest take every status", ErrInvalid, s)
	}
	return nil
}
