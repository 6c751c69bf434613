test_steps=()
