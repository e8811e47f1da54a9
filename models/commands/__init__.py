"""The commands of `facenet-models`, a file for each half: what makes a model, what measures one."""
