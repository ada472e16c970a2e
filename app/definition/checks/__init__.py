"""The rules of publishing, by subject: flow (what can have run), names, kinds, actions, triggers."""
