package main

import "strings"

// scenarios are all there are, in order.
func scenarios() []scenario {
	return []scenario{
		{"S1", "one event with places for all", hotEvent},
		{"S2", "20,000 requests in one second for 1,000 places", herd},
		{"S3", "a sold-out event in a storm", soldOut},
		{"S4", "10,000 events evenly", evenly},
		{"S5", "1,000 quiet events beside a burst on another", quiet},
		{"S6", "an idle client", idle},
		{"S7", "rosters of 1,000 to 1,000,000", rosters},
		{"S8", "twice and five times the knee, then normal", overload},
		{"S9", "1 to 8 workers", workers},
		{"S10", "one process with SQLite", embedded},
		{"S11", "a list of 10,000 events and a roster of 1,000,000 read beside a burst", reads},
		{"S12", "with the record of changes, and without", recorded},
		{"S13", "5,000 listeners on the event of a burst", listeners},
		{"S14", "many read at once", readers},
		{"S15", "CPU for each seat", seatCost},
		{"S16", "who is calling, and a way through nginx", identities},
		{"S17", "a sold-out event in a storm, refused from memory", storm},
		{"S18", "a crowd logs in and signs up beside a burst", entering},
	}
}

// named are the names of all scenarios.
func named() string {
	var names []string
	for _, sc := range scenarios() {
		names = append(names, sc.name)
	}
	return strings.Join(names, ", ")
}
