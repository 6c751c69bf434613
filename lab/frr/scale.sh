scale_steps=()
