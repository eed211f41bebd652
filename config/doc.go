// Package config turns flags, environment, file and defaults into one checked struct for haikud.
//
// The order is: flags, then HAIKU_ variables, then the YAML file, then Default. A key or variable that nobody knows is
// refused with the name that was probably meant, and Validate reports every problem at once. What a key means, and
// what it may hold, stands in the tags of Config alone: the annotated sample, the reference in docs/configuration.md,
// the flags and the checks all come from there.
//
// The package is a leaf: it imports nothing of ours, opens no file but the one it is given, and holds no state. It is
// the only home of viper.
package config
