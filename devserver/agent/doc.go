// Package agent is the first process of a development server's main container. Any image will do, one without a shell too:
// an init container copies the agent's static binary into a volume ([Install]), and the main container starts it ([Run]).
//
// The agent runs the init script, reaps the processes whose parents have ended, and ends all processes gracefully when the
// pod ends. The container is ready once the init script has ended ([CheckReady]).
package agent
