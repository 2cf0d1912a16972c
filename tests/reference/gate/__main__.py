from tests.reference.gate import main

main()
